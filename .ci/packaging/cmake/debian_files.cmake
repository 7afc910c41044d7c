# What Debian wants in a package beside what is installed: the licence and a changelog.
if(NOT CPACK_GENERATOR STREQUAL "DEB")
  return()
endif()
if(NOT CPACK_PACKAGE_CONTACT MATCHES "^[^<]+ <[^@>]+@[^>]+>$")
  message(FATAL_ERROR "set DEBFULLNAME and DEBEMAIL when configuring: a package has a maintainer")
endif()
set(documents "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/usr/share/doc/${CPACK_PACKAGE_NAME}")
file(STRINGS "${CPACK_STRAIT_SOURCE}/LICENSE" license)
set(text "")
foreach(line IN LISTS license)
  if(line STREQUAL "")
    set(line ".")
  endif()
  string(APPEND text " ${line}\n")
endforeach()
string(TIMESTAMP year "%Y" UTC)
file(WRITE "${documents}/copyright" "\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: strait

Files: *
Copyright: ${year} the authors of strait
License: BSL-1.0
${text}")
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
file(WRITE "${documents}/changelog" "\
${CPACK_PACKAGE_NAME} (${CPACK_PACKAGE_VERSION}) unstable; urgency=medium

  * Package of strait ${CPACK_PACKAGE_VERSION}.

 -- ${CPACK_PACKAGE_CONTACT}  ${date}
")
execute_process(COMMAND gzip -9nf changelog WORKING_DIRECTORY "${documents}"
  COMMAND_ERROR_IS_FATAL ANY)
