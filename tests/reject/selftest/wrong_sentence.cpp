// expect: strait: this is said.
#ifdef STRAIT_REJECT
static_assert(sizeof(char) == 2, "strait: something else is said.");
#endif
int main() {}
