#include "CFloatReference.h"

#include <fenv.h>
#include <math.h>
#include <string.h>

#pragma STDC FENV_ACCESS ON

enum { NEAREST_EVEN, TOWARD_ZERO, DOWN, UP, NEAREST_AWAY };

static void begin(int rounding) {
    static const int modes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD, FE_TONEAREST};
    fesetround(modes[rounding]);
    feclearexcept(FE_ALL_EXCEPT);
}

static uint8_t end(void) {
    int raised = fetestexcept(FE_ALL_EXCEPT);
    fesetround(FE_TONEAREST);
    return (raised & FE_INEXACT ? 1 : 0) | (raised & FE_UNDERFLOW ? 2 : 0) | (raised & FE_OVERFLOW ? 4 : 0)
        | (raised & FE_DIVBYZERO ? 8 : 0) | (raised & FE_INVALID ? 16 : 0);
}

// The operations on one type. Operands and results are volatile, so that the compiler neither computes them itself nor
// moves them past the changes of the mode.
#define OPERATIONS(TYPE, FUSED)                                                                                      \
    static TYPE apply_##FUSED(enum reference_operation operation, TYPE x, TYPE y, TYPE z) {                          \
        volatile TYPE a = x, b = y, c = z, result;                                                                   \
        switch (operation) {                                                                                         \
            case REFERENCE_ADD: result = a + b; break;                                                               \
            case REFERENCE_SUBTRACT: result = a - b; break;                                                          \
            case REFERENCE_MULTIPLY: result = a * b; break;                                                          \
            case REFERENCE_DIVIDE: result = a / b; break;                                                            \
            case REFERENCE_SQUARE_ROOT: result = ROOT(TYPE, a); break;                                               \
            case REFERENCE_MULTIPLY_ADD: result = FUSED(a, b, c); break;                                             \
            default: result = a; break;                                                                              \
        }                                                                                                            \
        return result;                                                                                               \
    }
#define ROOT(TYPE, a) _Generic((TYPE)0, float: sqrtf, double: sqrt, long double: sqrtl)(a)

OPERATIONS(float, fmaf)
OPERATIONS(double, fma)
OPERATIONS(long double, fmal)

// Hosts have no rounding to nearest with ties away from zero. It differs from ties to even only in ties, and these are
// exact in the next wider type: a tie has one bit more than the format, and the wider type has two at least.
#define FORMAT(NAME, TYPE, BITS, FUSED, WIDE, WIDE_FUSED)                                                            \
    static TYPE NAME##_from_bits(BITS bits) {                                                                        \
        TYPE value;                                                                                                  \
        memcpy(&value, &bits, sizeof value);                                                                         \
        return value;                                                                                                \
    }                                                                                                                \
    static uint64_t NAME##_bits(TYPE value) {                                                                        \
        BITS bits;                                                                                                   \
        if (value != value) value = (TYPE)__builtin_nan("");                                                         \
        memcpy(&bits, &value, sizeof value);                                                                         \
        return bits;                                                                                                 \
    }                                                                                                                \
    static TYPE NAME##_away(TYPE nearest, TYPE down, TYPE up, WIDE exact) {                                          \
        if (isinf(down) || isinf(up) || ((WIDE)down + (WIDE)up) / 2 != exact) return nearest;                        \
        return exact < 0 ? down : up;                                                                                \
    }                                                                                                                \
    static struct reference_result NAME##_arithmetic(                                                                \
        enum reference_operation operation, int rounding, TYPE a, TYPE b, TYPE c) {                                  \
        struct reference_result result;                                                                              \
        begin(rounding);                                                                                             \
        TYPE value = apply_##FUSED(operation, a, b, c);                                                              \
        result.flags = end();                                                                                        \
        if (rounding == NEAREST_AWAY && (result.flags & 1)) {                                                        \
            begin(NEAREST_EVEN);                                                                                     \
            WIDE exact = apply_##WIDE_FUSED(operation, a, b, c);                                                     \
            if (!(end() & 1)) {                                                                                      \
                begin(DOWN);                                                                                         \
                TYPE down = apply_##FUSED(operation, a, b, c);                                                       \
                begin(UP);                                                                                           \
                TYPE up = apply_##FUSED(operation, a, b, c);                                                         \
                end();                                                                                               \
                value = NAME##_away(value, down, up, exact);                                                         \
            }                                                                                                        \
        }                                                                                                            \
        result.value = NAME##_bits(value);                                                                           \
        return result;                                                                                               \
    }                                                                                                                \
    /* Rounds a number that the widest type holds exactly. */                                                        \
    static TYPE NAME##_narrow(int rounding, long double exact, uint8_t *flags) {                                     \
        volatile long double source = exact;                                                                         \
        begin(rounding);                                                                                             \
        volatile TYPE value = (TYPE)source;                                                                          \
        *flags = end();                                                                                              \
        if (rounding == NEAREST_AWAY && (*flags & 1)) {                                                              \
            begin(DOWN);                                                                                             \
            volatile TYPE down = (TYPE)source;                                                                       \
            begin(UP);                                                                                               \
            volatile TYPE up = (TYPE)source;                                                                         \
            end();                                                                                                   \
            int tie = !isinf(down) && !isinf(up) && ((long double)down + (long double)up) / 2 == exact;              \
            if (tie) value = exact < 0 ? down : up;                                                                  \
        }                                                                                                            \
        return value;                                                                                                \
    }                                                                                                                \
    struct reference_result NAME##_from_integer(int rounding, int is_signed, uint64_t value) {                       \
        struct reference_result result;                                                                              \
        long double exact = is_signed ? (long double)(int64_t)value : (long double)value;                            \
        result.value = NAME##_bits(NAME##_narrow(rounding, exact, &result.flags));                                   \
        return result;                                                                                               \
    }                                                                                                                \
    struct reference_result NAME##_to_integer(int rounding, int is_signed, int width, BITS bits) {                   \
        return to_integer(rounding, is_signed, width, NAME##_from_bits(bits));                                       \
    }

static struct reference_result to_integer(int rounding, int is_signed, int width, long double exact) {
    struct reference_result result = {.flags = 0};
    long double scale = ldexpl(1, is_signed ? width - 1 : width);
    long double low = is_signed ? -scale : 0;
    if (exact != exact) {
        result.flags = 16;
        exact = INFINITY;
    }
    begin(rounding);
    volatile long double source = exact;
    long double rounded = rounding == NEAREST_AWAY ? roundl(source) : rintl(source);
    end();
    if (rounded < low || rounded >= scale) {
        result.flags = 16;
        rounded = rounded < low ? low : scale - 1;
    } else if (rounded != exact) {
        result.flags = 1;
    }
    result.value = is_signed ? (uint64_t)(int64_t)rounded : (uint64_t)rounded;
    return result;
}

FORMAT(reference_32, float, uint32_t, fmaf, double, fma)
FORMAT(reference_64, double, uint64_t, fma, long double, fmal)

#define ENTRY(NAME, TYPE, BITS, OTHER)                                                                               \
    struct reference_result NAME(                                                                                    \
        enum reference_operation operation, int rounding, BITS first, BITS second, BITS third) {                     \
        volatile TYPE a = NAME##_from_bits(first), b = NAME##_from_bits(second), c = NAME##_from_bits(third);        \
        struct reference_result result;                                                                              \
        switch (operation) {                                                                                         \
            case REFERENCE_EQUAL:                                                                                    \
                begin(rounding);                                                                                     \
                result.value = a == b;                                                                               \
                break;                                                                                               \
            case REFERENCE_LESS:                                                                                     \
                begin(rounding);                                                                                     \
                result.value = a < b;                                                                                \
                break;                                                                                               \
            case REFERENCE_LESS_OR_EQUAL:                                                                            \
                begin(rounding);                                                                                     \
                result.value = a <= b;                                                                               \
                break;                                                                                               \
            case REFERENCE_CONVERT: OTHER(a); return result;                                                         \
            default: return NAME##_arithmetic(operation, rounding, a, b, c);                                         \
        }                                                                                                            \
        result.flags = end();                                                                                        \
        return result;                                                                                               \
    }

#define WIDEN(a)                                                                                                     \
    {                                                                                                                \
        begin(rounding);                                                                                             \
        volatile double wide = a;                                                                                    \
        result.flags = end();                                                                                        \
        result.value = reference_64_bits(wide);                                                                      \
    }
#define NARROW(a)                                                                                                    \
    {                                                                                                                \
        begin(rounding);                                                                                             \
        volatile float narrow = (float)a;                                                                            \
        result.flags = end();                                                                                        \
        if (rounding == NEAREST_AWAY) {                                                                              \
            uint8_t flags;                                                                                           \
            narrow = reference_32_narrow(rounding, a, &flags);                                                       \
        }                                                                                                            \
        result.value = reference_32_bits(narrow);                                                                    \
    }

ENTRY(reference_32, float, uint32_t, WIDEN)
ENTRY(reference_64, double, uint64_t, NARROW)
