# Files that a program carries within itself: what the HTTP server serves needs no directory of its
# own when the program runs.
#
# lifeguard_embed(<target> <name> [BASE <dir>] <file>...)
#
# Adds to the target a source that is made anew whenever a file changes, with
#
#   namespace lifeguard::embedded {
#   std::span<const detail::web::embedded_file> <name>() noexcept;
#   }
#
# of the header "http/embedded_file.hpp"; declare the function where you use it. The path of a file
# is the one below BASE, which defaults to the directory of the calling CMakeLists.txt.

if(CMAKE_SCRIPT_MODE_FILE)
    # Makes the source: cmake -DOUT=... -DNAME=... -DBASE=... -DFILES=a;b -P embed.cmake
    set(types
        ".html=text/html" ".css=text/css" ".js=text/javascript" ".mjs=text/javascript"
        ".json=application/json" ".map=application/json" ".svg=image/svg+xml" ".png=image/png"
        ".ico=image/x-icon" ".woff2=font/woff2" ".txt=text/plain"
        ".webmanifest=application/manifest+json")
    set(arrays "")
    set(table "")
    set(number 0)
    foreach(file IN LISTS FILES)
        file(READ "${file}" hex HEX)
        file(SHA256 "${file}" hash)
        string(SUBSTRING "${hash}" 0 32 hash)
        string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${hex}")
        # Lines of 16: a compiler's message that quotes one shall fit on a screen.
        string(REGEX REPLACE "('....','....','....','....','....','....','....','....','....','....','....','....','....','....','....','....',)"
            "\\1\n    " bytes "${bytes}")
        file(RELATIVE_PATH path "${BASE}" "${file}")
        get_filename_component(extension "${file}" LAST_EXT)
        set(type "application/octet-stream")
        foreach(known IN LISTS types)
            if(known MATCHES "^${extension}=(.*)$")
                set(type "${CMAKE_MATCH_1}")
            endif()
        endforeach()
        if(type MATCHES "^text/") # a semicolon would end the item of the list above
            string(APPEND type "; charset=utf-8")
        endif()
        string(APPEND arrays "constexpr char bytes_${number}[] = {\n    ${bytes}'\\0'};\n\n")
        string(APPEND table
            "    {\"${path}\", \"${type}\", {bytes_${number}, sizeof bytes_${number} - 1}, \"${hash}\"},\n")
        math(EXPR number "${number} + 1")
    endforeach()
    file(WRITE "${OUT}" "// Made by cmake/embed.cmake.
#include \"http/embedded_file.hpp\"

#include <array>
#include <span>

namespace lifeguard::embedded {

std::span<const detail::web::embedded_file> ${NAME}() noexcept;

namespace {

${arrays}constexpr std::array<detail::web::embedded_file, ${number}> files = {{
${table}}};

} // namespace

std::span<const detail::web::embedded_file> ${NAME}() noexcept { return files; }

} // namespace lifeguard::embedded
")
    return()
endif()

set(lifeguard_embed_script "${CMAKE_CURRENT_LIST_FILE}")

function(lifeguard_embed target name)
    cmake_parse_arguments(PARSE_ARGV 2 embed "" "BASE" "")
    if(NOT embed_BASE)
        set(embed_BASE "${CMAKE_CURRENT_SOURCE_DIR}")
    endif()
    get_filename_component(base "${embed_BASE}" ABSOLUTE)
    set(files "")
    foreach(file IN LISTS embed_UNPARSED_ARGUMENTS)
        get_filename_component(file "${file}" ABSOLUTE)
        list(APPEND files "${file}")
    endforeach()
    if(NOT files)
        message(FATAL_ERROR "lifeguard_embed(${target} ${name}): no files")
    endif()
    set(out "${CMAKE_CURRENT_BINARY_DIR}/embedded_${name}.cpp")
    add_custom_command(OUTPUT "${out}"
        COMMAND "${CMAKE_COMMAND}" "-DOUT=${out}" "-DNAME=${name}" "-DBASE=${base}"
            "-DFILES=${files}" -P "${lifeguard_embed_script}"
        DEPENDS ${files} "${lifeguard_embed_script}"
        COMMENT "Embedding ${name}"
        VERBATIM)
    target_sources(${target} PRIVATE "${out}")
endfunction()
