#pragma once

namespace strait::detail {

/// A listener of this kind gets messages as they came, by `take(tag, bytes)`, for a serializer to
/// read later and elsewhere; without their rights, which are closed.
struct FrameSink {};

}  // namespace strait::detail
