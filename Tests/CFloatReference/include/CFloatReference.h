// The host's floating-point unit and C library, as an independent implementation to test ours against.
//
// Operands and results are bit patterns, rounding modes and flags are encoded as in RISC-V's fcsr. NaN results are
// replaced by the canonical NaN, everything else is the host's.
#pragma once

#include <stdint.h>

enum reference_operation {
    REFERENCE_ADD,
    REFERENCE_SUBTRACT,
    REFERENCE_MULTIPLY,
    REFERENCE_DIVIDE,
    REFERENCE_SQUARE_ROOT,
    REFERENCE_MULTIPLY_ADD,
    REFERENCE_EQUAL,
    REFERENCE_LESS,
    REFERENCE_LESS_OR_EQUAL,
    REFERENCE_CONVERT,  // to the other format
};

struct reference_result {
    uint64_t value;
    uint8_t flags;
};

struct reference_result reference_32(
    enum reference_operation operation, int rounding, uint32_t a, uint32_t b, uint32_t c);
struct reference_result reference_64(
    enum reference_operation operation, int rounding, uint64_t a, uint64_t b, uint64_t c);

// An integer of 32 or 64 bits to a format; `value` is its extension to 64 bits.
struct reference_result reference_32_from_integer(int rounding, int is_signed, uint64_t value);
struct reference_result reference_64_from_integer(int rounding, int is_signed, uint64_t value);

// To an integer of `width` 32 or 64 bits, extended to 64 bits by its own sign.
struct reference_result reference_32_to_integer(int rounding, int is_signed, int width, uint32_t a);
struct reference_result reference_64_to_integer(int rounding, int is_signed, int width, uint64_t a);
