// expect: strait: this is never said.
int main() {}
