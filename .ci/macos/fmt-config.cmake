include("${CMAKE_CURRENT_LIST_DIR}/header_package.cmake")
header_package(fmt::fmt fmt FMT_HEADER_ONLY)
