// expect: strait: this stands in the source alone.
#ifdef STRAIT_REJECT
int main() { return undeclared; }  // error: strait: this stands in the source alone.
#else
int main() {}
#endif
