# Slicer packs an extension only after it was described.
if(NOT EXISTS ${CMAKE_BINARY_DIR}/description.txt)
  message(FATAL_ERROR "Slicer_EXTENSION_GENERATE_CONFIG must be included first")
endif()
