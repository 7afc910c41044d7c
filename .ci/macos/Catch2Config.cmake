include("${CMAKE_CURRENT_LIST_DIR}/header_package.cmake")
header_package(Catch2::Catch2 catch2)
