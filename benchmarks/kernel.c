/* The yardsticks of benchmarks/kernel.py. `logit_rows`: log-likelihood and its derivative summed over Bernoulli-logit
   rows whose predictor is given: exp, log1p and the two sums, nothing else. `logit_gradient`: the sums that a gradient
   consists of, X'score and Z'score of two crossed factors, and the predictor that they need. The polynomials are those of
   bayesglmm/families/elementary.py; the loop is written so that the compiler makes vector instructions of it. */
#include <math.h>
#include <stdint.h>
#include <string.h>

static inline double exp_nonpositive(double x)
{
    x = fmax(x, -708.0);
    double k = __builtin_rint(x * 1.4426950408889634);
    double r = x - k * 6.93147180369123816490e-01 - k * 1.90821492927058770002e-10;
    double p = 2.500001710919498e-08;
    p = p * r + 2.763030592049602e-07;
    p = p * r + 2.7557586807501552e-06;
    p = p * r + 2.4801492950670086e-05;
    p = p * r + 0.0001984126950577247;
    p = p * r + 0.001388888894375881;
    p = p * r + 0.008333333333494976;
    p = p * r + 0.04166666666652973;
    p = p * r + 0.1666666666666641;
    p = p * r + 0.5000000000000011;
    p = p * (r * r) + r + 1.0;
    int64_t bits = ((int64_t)k + 1023) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

static inline double row(double y, double x, double *slope)
{
    double e = exp_nonpositive(-fabs(x));
    double one = 1.0 + e, two = 2.0 + e;
    double inverse = 1.0 / (one * two);
    double near = two * inverse;
    double t = e * one * inverse;
    double q = t * t;
    double g = 0.08874385439399395;
    g = g * q + 0.049491745621616054;
    g = g * q + 0.06793618440212972;
    g = g * q + 0.07682096595658952;
    g = g * q + 0.0909141032779376;
    g = g * q + 0.11111096328961562;
    g = g * q + 0.1428571453155571;
    g = g * q + 0.19999999997999235;
    g = g * q + 0.3333333333333893;
    double log1p = 2.0 * t * (1.0 + q * g);
    double far = e * near;
    *slope = y - (x >= 0.0 ? near : far);
    return y * x - 0.5 * (x + fabs(x)) - log1p;
}

void logit_rows(int64_t n, const double *restrict y, const double *restrict eta, double *restrict sums)
{
    double value = 0.0, slope = 0.0;
    for (int64_t i = 0; i < n; i++) {
        double d;
        value += row(y[i], eta[i], &d);
        slope += d;
    }
    sums[0] = value;
    sums[1] = slope;
}

#define BLOCK 1024

/* rows: response, size, weight and offset, each (n); Xt (p, n); codes (2, n), sorted by the first; u and gu: the effects
   of the first factor (J), then of the second. Size and weight are 1 and not read. */
double logit_gradient(int64_t n, int64_t p, int64_t J, const double *restrict rows, const double *restrict Xt,
                      const int32_t *restrict codes, const double *restrict beta, const double *restrict u,
                      double *restrict g_beta, double *restrict gu)
{
    double value = 0.0, eta[BLOCK], score[BLOCK];
    for (int64_t first = 0; first < n; first += BLOCK) {
        int64_t count = n - first < BLOCK ? n - first : BLOCK;
        const double *y = rows + first, *offset = rows + 3 * n + first;
        const int32_t *a = codes + first, *b = codes + n + first;
        for (int64_t i = 0; i < count; i++)
            eta[i] = offset[i] + u[a[i]] + u[J + b[i]];
        for (int64_t k = 0; k < p; k++)
            for (int64_t i = 0; i < count; i++)
                eta[i] += beta[k] * Xt[k * n + first + i];
        for (int64_t i = 0; i < count; i++)
            value += row(y[i], eta[i], &score[i]);
        for (int64_t k = 0; k < p; k++) {
            double sum = 0.0;
            for (int64_t i = 0; i < count; i++)
                sum += Xt[k * n + first + i] * score[i];
            g_beta[k] += sum;
        }
        for (int64_t i = 0; i < count;) { /* sorted: one level after the other */
            double sum = 0.0;
            int32_t level = a[i];
            for (; i < count && a[i] == level; i++)
                sum += score[i];
            gu[level] += sum;
        }
        for (int64_t i = 0; i < count; i++)
            gu[J + b[i]] += score[i];
    }
    return value;
}
