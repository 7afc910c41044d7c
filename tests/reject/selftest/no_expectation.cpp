#ifdef STRAIT_REJECT
#error "strait: nobody expects this."
#endif
int main() {}
