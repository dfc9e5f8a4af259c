/* Strings: ASCII rules that no locale can change, and UTF-8. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool ascii_isdigit(char c);
bool ascii_isalnum(char c);
bool ascii_isxdigit(char c);
char ascii_tolower(char c);

/* NULL equals NULL and nothing else. */
bool str_eq(const char *a, const char *b);
bool str_eq_nocase(const char *a, const char *b);
bool str_empty(const char *s); /* NULL or "" */
bool str_has_prefix(const char *s, const char *prefix);
bool str_has_prefix_nocase(const char *s, const char *prefix);
bool str_has_suffix_nocase(const char *s, const char *suffix);
/* Where needle first occurs in s without regard to case, or NULL. */
const char *str_find_nocase(const char *s, const char *needle);
/* Lower-cases A to Z in place; returns s. */
char *str_lower(char *s);
/* Copies at most size-1 bytes and ends with NUL; false when src did not fit. */
bool str_copy(char *dst, size_t size, const char *src);
/* A GUID in its 8-4-4-4-12 form, any case. */
bool str_is_guid(const char *s);
/* All of s is a decimal number within [min, max]. */
bool str_to_i64(const char *s, int64_t min, int64_t max, int64_t *ret);

/* Length of the valid UTF-8 sequence (RFC 3629) at s, or 0 when the bytes there are not one. len > 0. */
size_t utf8_sequence(const char *s, size_t len);
bool utf8_valid(const char *s, size_t len);
