// Functions that cannot be inline in the header; SwiftPM also requires a source file in a C target.
#include "CLinux.h"

int64_t aerie_file_modified(int descriptor) {
    struct stat status;
    if (fstat(descriptor, &status) != 0) return -1;
    return (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
}
