#pragma once

namespace strait::detail {

/// A listener of this kind gets messages as they came, by `take(incoming)`, for a
/// serializer to read later and elsewhere.
struct FrameSink {};

}  // namespace strait::detail
