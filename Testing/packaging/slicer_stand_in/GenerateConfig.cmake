# What Slicer asks of an extension before it builds it.
foreach(wanted HOMEPAGE CATEGORY CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS DEPENDS BUILD_SUBDIRECTORY)
  if("${EXTENSION_${wanted}}" STREQUAL "")
    message(FATAL_ERROR "EXTENSION_${wanted} is not set")
  endif()
  file(APPEND ${CMAKE_BINARY_DIR}/description.txt "${wanted} ${EXTENSION_${wanted}}\n")
endforeach()
