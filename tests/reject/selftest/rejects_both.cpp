// expect: strait: this is always said.
static_assert(sizeof(char) == 2, "strait: this is always said.");
int main() {}
