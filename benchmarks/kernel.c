/* The yardstick of benchmarks/kernel.py: log-likelihood and its derivative summed over Bernoulli-logit rows whose
   predictor is given: exp, log1p and the two sums, nothing else. The polynomials are those of
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

void logit_rows(int64_t n, const double *restrict y, const double *restrict eta, double *restrict sums)
{
    double value = 0.0, slope = 0.0;
    for (int64_t i = 0; i < n; i++) {
        double x = eta[i];
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
        double l = y[i] * x - 0.5 * (x + fabs(x)) - log1p;
        double far = e * near;
        double mu = x >= 0.0 ? near : far;
        value += l;
        slope += y[i] - mu;
    }
    sums[0] = value;
    sums[1] = slope;
}
