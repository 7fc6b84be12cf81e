// The C library's account of its own memory, which Swift's module of the C library leaves out.

#pragma once

#include <malloc.h>
