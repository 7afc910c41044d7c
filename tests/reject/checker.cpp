// The checker at work on nothing but the language: an instantiation that says its sentence.
// expect: strait: a letter holds at least one byte.
// expect: strait: a letter holds at most nine bytes.

template <int bytes>
int post() {
  static_assert(bytes > 0, "strait: a letter holds at least one byte.");
  static_assert(bytes < 10, "strait: a letter holds at most nine bytes.");
  return bytes;
}

int main() {
#if !defined(STRAIT_REJECT)
  return post<1>();
#elif STRAIT_REJECT == 1
  return post<0>();
#elif STRAIT_REJECT == 2
  return post<10>();
#endif
}
