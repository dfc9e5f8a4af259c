#include "base/timefmt.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define DAY_MS 86400000LL
#define MAX_TIME_MS 253402300799999LL /* 9999-12-31T23:59:59.999Z */
#define DURATION_MAX_MS (3653LL * DAY_MS)

/* Howard Hinnant's well-known algorithms: eras of 400 years that begin on 1 March. */
int64_t time_days_from_civil(int64_t year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468;
}

void time_civil_from_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t mp = (5 * day_of_year + 2) / 153;

    *ret_day = (int)(day_of_year - (153 * mp + 2) / 5 + 1);
    *ret_month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *ret_year = year_of_era + era * 400 + (*ret_month <= 2);
}

static void format(int64_t wall_ms, bool fraction, char *ret)
{
    int64_t days = wall_ms / DAY_MS, rest = wall_ms % DAY_MS, year;
    int month, day;

    if (rest < 0) {
        rest += DAY_MS;
        days--;
    }
    time_civil_from_days(days, &year, &month, &day);
    int n = snprintf(ret, TIME_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d", (int)year, month, day, (int)(rest / 3600000),
        (int)(rest / 60000 % 60), (int)(rest / 1000 % 60));
    if (n > 0 && n < TIME_TEXT_SIZE)
        (void)snprintf(ret + n, TIME_TEXT_SIZE - (size_t)n, fraction ? ".%03dZ" : "Z", (int)(rest % 1000));
}

void time_format_rfc3339(int64_t wall_ms, char ret[static TIME_TEXT_SIZE])
{
    format(wall_ms, false, ret);
}

void time_format_rfc3339_ms(int64_t wall_ms, char ret[static TIME_TEXT_SIZE])
{
    format(wall_ms, true, ret);
}

/* n digits at *s as a number within [min, max]; advances *s. */
static bool digits(const char **s, int n, int min, int max, int *ret)
{
    int value = 0;

    for (int i = 0; i < n; i++, (*s)++) {
        if (!ascii_isdigit(**s))
            return false;
        value = value * 10 + (**s - '0');
    }
    *ret = value;
    return value >= min && value <= max;
}

static bool literal(const char **s, char c)
{
    if (ascii_tolower(**s) != c)
        return false;
    (*s)++;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

static bool clock_time(const char **s, int64_t *ret_ms)
{
    int h, m, sec;

    if (!digits(s, 2, 0, 23, &h) || !literal(s, ':') || !digits(s, 2, 0, 59, &m) || !literal(s, ':') ||
        !digits(s, 2, 0, 60, &sec))
        return false;
    *ret_ms = h * 3600000LL + m * 60000LL + (sec == 60 ? 59 : sec) * 1000LL;
    return true;
}

static bool fraction(const char **s, int64_t *ms)
{
    int scale = 100;

    if (**s != '.')
        return true;
    (*s)++;
    if (!ascii_isdigit(**s))
        return false;
    for (; ascii_isdigit(**s); (*s)++, scale /= 10)
        *ms += (**s - '0') * scale;
    return true;
}

static bool offset(const char **s, int64_t *ms)
{
    int h, m;

    if (literal(s, 'z'))
        return true;
    bool west = **s == '-';
    if (!west && **s != '+')
        return false;
    (*s)++;
    if (!digits(s, 2, 0, 23, &h) || !literal(s, ':') || !digits(s, 2, 0, 59, &m))
        return false;
    int64_t shift = h * 3600000LL + m * 60000LL;
    *ms += west ? shift : -shift;
    return true;
}

bool time_parse_rfc3339(const char *s, int64_t *ret_wall_ms)
{
    int year, month, day;
    int64_t ms;

    if (!digits(&s, 4, 1970, 9999, &year) || !literal(&s, '-') || !digits(&s, 2, 1, 12, &month) || !literal(&s, '-') ||
        !digits(&s, 2, 1, days_in_month(year, month), &day) || !literal(&s, 't') || !clock_time(&s, &ms) ||
        !fraction(&s, &ms) || !offset(&s, &ms) || *s)
        return false;
    ms += time_days_from_civil(year, month, day) * DAY_MS;
    if (ms < 0 || ms > MAX_TIME_MS) /* an offset or a leap second has led out of the years that can be written back */
        return false;
    *ret_wall_ms = ms;
    return true;
}

static bool month_name(const char **s, int *ret)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (int i = 0; i < 12; i++)
        if (strncmp(*s, names + 3 * i, 3) == 0) {
            *s += 3;
            *ret = i + 1;
            return true;
        }
    return false;
}

bool time_parse_http_date(const char *s, int64_t *ret_wall_ms)
{
    int year, month, day;
    int64_t ms;
    const char *comma = strchr(s, ',');

    if (!comma || comma - s != 3)
        return false;
    s = comma + 1;
    if (!literal(&s, ' ') || !digits(&s, 2, 1, 31, &day) || !literal(&s, ' ') || !month_name(&s, &month) ||
        !literal(&s, ' ') || !digits(&s, 4, 1970, 9999, &year) || day > days_in_month(year, month) ||
        !literal(&s, ' ') || !clock_time(&s, &ms) || strcmp(s, " GMT") != 0)
        return false;
    *ret_wall_ms = time_days_from_civil(year, month, day) * DAY_MS + ms;
    return true;
}

static bool duration_unit(const char **s, double *ret_ms)
{
    static const struct {
        const char *name;
        double ms;
    } units[] = {{"ms", 1}, {"us", 1e-3}, {"ns", 1e-6}, {"h", 3600000}, {"m", 60000}, {"s", 1000}};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (str_has_prefix(*s, units[i].name)) {
            *s += strlen(units[i].name);
            *ret_ms = units[i].ms;
            return true;
        }
    return false;
}

bool duration_parse(const char *s, int64_t *ret_ms)
{
    double total = 0;

    if (strcmp(s, "0") == 0) {
        *ret_ms = 0;
        return true;
    }
    if (!*s)
        return false;
    while (*s) {
        double value = 0, scale = 1, unit;
        bool any = false;
        for (; ascii_isdigit(*s); s++, any = true)
            value = value * 10 + (*s - '0');
        if (*s == '.')
            for (s++; ascii_isdigit(*s); s++, any = true)
                value += (*s - '0') * (scale /= 10);
        if (!any || !duration_unit(&s, &unit))
            return false;
        total += value * unit;
        if (total > (double)DURATION_MAX_MS)
            return false;
    }
    *ret_ms = (int64_t)(total + 0.5);
    return true;
}

void duration_format(int64_t ms, char ret[static TIME_TEXT_SIZE])
{
    static const struct {
        int64_t s;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}};
    int64_t s = ms < 0 ? 0 : ms / 1000;
    size_t i = 0;

    while (i < 3 && s < units[i].s)
        i++;
    int n = snprintf(ret, TIME_TEXT_SIZE, "%lld%s", (long long)(s / units[i].s), units[i].name);
    int64_t rest = i < 2 ? s % units[i].s / units[i + 1].s : 0; /* minutes are exact enough */
    if (rest && n > 0 && n < TIME_TEXT_SIZE)
        (void)snprintf(ret + n, TIME_TEXT_SIZE - (size_t)n, "%lld%s", (long long)rest, units[i + 1].name);
}
