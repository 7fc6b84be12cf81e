// Five bodies under gravity, in steps: divisions, square roots, fused multiplications.
#include "kernel.h"

#define BODIES 5

static struct body {
    double place[3], speed[3], mass;
} bodies[BODIES];

static void step(double time) {
    for (int i = 0; i < BODIES; i++) {
        for (int j = i + 1; j < BODIES; j++) {
            struct body *a = &bodies[i], *b = &bodies[j];
            double x = a->place[0] - b->place[0], y = a->place[1] - b->place[1], z = a->place[2] - b->place[2];
            double square = x * x + y * y + z * z;
            double pull = time / (square * __builtin_sqrt(square));
            a->speed[0] -= x * b->mass * pull;
            a->speed[1] -= y * b->mass * pull;
            a->speed[2] -= z * b->mass * pull;
            b->speed[0] += x * a->mass * pull;
            b->speed[1] += y * a->mass * pull;
            b->speed[2] += z * a->mass * pull;
        }
    }
    for (int i = 0; i < BODIES; i++)
        for (int k = 0; k < 3; k++) bodies[i].place[k] += time * bodies[i].speed[k];
}

static double energy(void) {
    double total = 0;
    for (int i = 0; i < BODIES; i++) {
        struct body *a = &bodies[i];
        double *v = a->speed;
        total += 0.5 * a->mass * (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
        for (int j = i + 1; j < BODIES; j++) {
            struct body *b = &bodies[j];
            double x = a->place[0] - b->place[0], y = a->place[1] - b->place[1], z = a->place[2] - b->place[2];
            total -= a->mass * b->mass / __builtin_sqrt(x * x + y * y + z * z);
        }
    }
    return total;
}

u64 benchmark(void) {
    // A heavy sun and four planets on nearly circular orbits.
    static const double radius[BODIES] = { 0, 1, 1.9, 3.1, 5.2 };
    static const double mass[BODIES] = { 40, 0.01, 0.02, 0.005, 0.03 };
    for (int i = 0; i < BODIES; i++) {
        struct body *body = &bodies[i];
        body->mass = mass[i] * (double)seed;
        body->place[i & 1] = radius[i];
        body->place[2] = radius[i] * 0.01;
        body->speed[~i & 1] = i ? __builtin_sqrt(mass[0] / radius[i]) * (i & 1 ? 1 : -1) : 0;
    }
    for (int i = 0; i < 1600000; i++) step(0.00002);
    double last = energy();
    exact = bits_of(last) ^ bits_of(bodies[1].place[0]);
    // Seven digits: fused or not, they agree.
    return (u64)(i64)(last * 1e5);
}
