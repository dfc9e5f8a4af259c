#include "base/str.h"

#include <string.h>

bool ascii_isdigit(char c)
{
    return c >= '0' && c <= '9';
}

bool ascii_isalnum(char c)
{
    char l = ascii_tolower(c);

    return ascii_isdigit(c) || (l >= 'a' && l <= 'z');
}

bool ascii_isxdigit(char c)
{
    char l = ascii_tolower(c);

    return ascii_isdigit(c) || (l >= 'a' && l <= 'f');
}

char ascii_tolower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool str_eq(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool str_eq_nocase(const char *a, const char *b)
{
    if (!a || !b)
        return a == b;
    while (*a && ascii_tolower(*a) == ascii_tolower(*b))
        a++, b++;
    return *a == '\0' && *b == '\0';
}

bool str_empty(const char *s)
{
    return !s || !*s;
}

bool str_has_prefix(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_has_prefix_nocase(const char *s, const char *prefix)
{
    for (; *prefix; s++, prefix++)
        if (ascii_tolower(*s) != ascii_tolower(*prefix))
            return false;
    return true;
}

bool str_has_suffix_nocase(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);

    return n >= m && str_eq_nocase(s + n - m, suffix);
}

const char *str_find_nocase(const char *s, const char *needle)
{
    for (; *s; s++)
        if (str_has_prefix_nocase(s, needle))
            return s;
    return *needle ? NULL : s;
}

char *str_lower(char *s)
{
    for (char *p = s; *p; p++)
        *p = ascii_tolower(*p);
    return s;
}

bool str_copy(char *dst, size_t size, const char *src)
{
    size_t n = strnlen(src, size);
    bool fits = n < size;

    if (!fits)
        n = size - 1;
    memcpy(dst, src, n);
    dst[n] = '\0';
    return fits;
}

bool str_is_guid(const char *s)
{
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

    for (size_t i = 0; i < sizeof(shape) - 1; i++)
        if (shape[i] == 'x' ? !ascii_isxdigit(s[i]) : s[i] != '-')
            return false;
    return s[sizeof(shape) - 1] == '\0';
}

bool str_to_i64(const char *s, int64_t min, int64_t max, int64_t *ret)
{
    int sign = *s == '-' ? -1 : 1;
    int64_t n = 0;

    s += *s == '-';
    if (!*s)
        return false;
    for (; *s; s++) /* with its sign from the start: the least number has no positive twin */
        if (!ascii_isdigit(*s) || __builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, sign * (*s - '0'), &n))
            return false;
    if (n < min || n > max)
        return false;
    *ret = n;
    return true;
}

static bool is_continuation(const unsigned char *p, size_t n)
{
    for (size_t i = 1; i <= n; i++)
        if ((p[i] & 0xC0) != 0x80)
            return false;
    return true;
}

size_t utf8_sequence(const char *s, size_t len)
{
    const unsigned char *p = (const unsigned char *)s;

    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xC2 && p[0] <= 0xDF)
        return len >= 2 && is_continuation(p, 1) ? 2 : 0;
    if (p[0] >= 0xE0 && p[0] <= 0xEF) {
        if (len < 3 || !is_continuation(p, 2))
            return 0;
        bool overlong = p[0] == 0xE0 && p[1] < 0xA0;
        bool surrogate = p[0] == 0xED && p[1] >= 0xA0;
        return overlong || surrogate ? 0 : 3;
    }
    if (p[0] >= 0xF0 && p[0] <= 0xF4) {
        if (len < 4 || !is_continuation(p, 3))
            return 0;
        bool overlong = p[0] == 0xF0 && p[1] < 0x90;
        bool beyond = p[0] == 0xF4 && p[1] >= 0x90;
        return overlong || beyond ? 0 : 4;
    }
    return 0;
}

bool utf8_valid(const char *s, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = utf8_sequence(s + i, len - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}
