#pragma once

// The one place that asks which system this is. Everything else asks for a STRAIT_HAS_ capability.

#if defined(__APPLE__)
#define STRAIT_HAS_DARWIN 1
#else
#define STRAIT_HAS_DARWIN 0
#endif

#if defined(__linux__)
#define STRAIT_HAS_LINUX 1
#else
#define STRAIT_HAS_LINUX 0
#endif

#if defined(_WIN32)
#define STRAIT_HAS_WINDOWS 1
#else
#define STRAIT_HAS_WINDOWS 0
#endif

#if !STRAIT_HAS_DARWIN && !STRAIT_HAS_LINUX && !STRAIT_HAS_WINDOWS
#error "strait: this system has no backend yet; Linux, macOS and Windows have one"
#endif

#if defined(__has_builtin)
#if __has_builtin(__builtin_clear_padding)
#define STRAIT_HAS_CLEAR_PADDING 1
#endif
#endif
#ifndef STRAIT_HAS_CLEAR_PADDING
#define STRAIT_HAS_CLEAR_PADDING 0
#endif

// Probes for bpftrace, perf and systemtap: a header of systemtap-sdt-dev that is no part of a
// program which is built with it. macOS has one of this name with other contents.
#if STRAIT_HAS_LINUX && __has_include(<sys/sdt.h>)
#define STRAIT_HAS_USDT 1
#else
#define STRAIT_HAS_USDT 0
#endif
