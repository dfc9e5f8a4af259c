/* A strict scanner of RFC 8259 texts.
 *
 * cJSON accepts more than JSON (control characters in strings, "01", bytes that are no UTF-8) and reports no place, so
 * every text passes through here first: what follows may rely on a text that is well-formed, no deeper than
 * JSON_MAX_DEPTH, valid UTF-8 and free of NUL. It also keeps cJSON away from cut-off input, which 1.7.15 reads past
 * (CVE-2023-53154). The scanner builds nothing and does not compare names: duplicates are found in the tree (parse.c).
 */
#include "json/scan.h"

#include "base/str.h"
#include "json/json.h"

#include <string.h>

/* cJSON copies a number into 64 bytes and silently stops there. */
#define NUMBER_MAX 63

static int fail(struct json_scan *s, const char *what)
{
    if (s->at >= s->len)
        return err_set(s->err, ERR_PROTOCOL, "invalid JSON at byte %zu: the text ends too early", s->len);
    return err_set(s->err, ERR_PROTOCOL, "invalid JSON at byte %zu: %s", s->at, what);
}

/* The next byte, or 0 at the end: a NUL in the text is refused wherever it stands, so the two need no telling apart. */
static char peek(const struct json_scan *s)
{
    return s->at < s->len ? s->text[s->at] : '\0';
}

static void skip_space(struct json_scan *s)
{
    while (peek(s) == ' ' || peek(s) == '\t' || peek(s) == '\n' || peek(s) == '\r')
        s->at++;
}

static int hex4(struct json_scan *s, unsigned *ret)
{
    unsigned value = 0;

    for (int i = 0; i < 4; i++, s->at++) {
        char c = ascii_tolower(peek(s));
        if (!ascii_isxdigit(c))
            return fail(s, "\\u must be followed by four hexadecimal digits");
        value = value * 16 + (unsigned)(ascii_isdigit(c) ? c - '0' : c - 'a' + 10);
    }
    *ret = value;
    return 0;
}

static bool is_high_surrogate(unsigned code)
{
    return code >= 0xD800 && code <= 0xDBFF;
}

static bool is_low_surrogate(unsigned code)
{
    return code >= 0xDC00 && code <= 0xDFFF;
}

static int refuse_escape(struct json_scan *s, size_t start, const char *what)
{
    s->at = start;
    return fail(s, what);
}

/* What follows "\u". A code point beyond U+FFFF is a pair of surrogates; half a pair is no character. */
static int scan_unicode(struct json_scan *s)
{
    static const char half[] = "half of a surrogate pair is no character";
    size_t start = s->at - strlen("\\u");
    unsigned code;

    if (hex4(s, &code) < 0)
        return -1;
    if (code == 0)
        return refuse_escape(s, start, "a string must not contain a NUL");
    if (is_low_surrogate(code))
        return refuse_escape(s, start, half);
    if (!is_high_surrogate(code))
        return 0;
    if (s->len - s->at < 2 || memcmp(s->text + s->at, "\\u", 2) != 0)
        return refuse_escape(s, start, half);
    s->at += 2;
    if (hex4(s, &code) < 0)
        return -1;
    return is_low_surrogate(code) ? 0 : refuse_escape(s, start, half);
}

static int scan_escape(struct json_scan *s)
{
    s->at++;
    char c = peek(s);
    if (c == '\0' || !strchr("\"\\/bfnrtu", c))
        return fail(s, "unknown escape in a string");
    s->at++;
    return c == 'u' ? scan_unicode(s) : 0;
}

static int scan_string(struct json_scan *s)
{
    s->at++;
    while (s->at < s->len) {
        unsigned char c = (unsigned char)s->text[s->at];
        if (c == '"') {
            s->at++;
            return 0;
        }
        if (c < 0x20)
            return fail(s, c ? "a control character in a string must be escaped" : "a string must not contain a NUL");
        if (c == '\\') {
            if (scan_escape(s) < 0)
                return -1;
            continue;
        }
        size_t n = utf8_sequence(s->text + s->at, s->len - s->at);
        if (n == 0)
            return fail(s, "the bytes are not UTF-8");
        s->at += n;
    }
    return fail(s, "");
}

static size_t scan_digits(struct json_scan *s)
{
    size_t start = s->at;

    while (ascii_isdigit(peek(s)))
        s->at++;
    return s->at - start;
}

static int scan_number(struct json_scan *s)
{
    size_t start = s->at;

    s->at += peek(s) == '-';
    if (peek(s) == '0')
        s->at++;
    else if (!scan_digits(s))
        return fail(s, "expected a digit");
    if (peek(s) == '.') {
        s->at++;
        if (!scan_digits(s))
            return fail(s, "expected a digit after the decimal point");
    }
    if (peek(s) == 'e' || peek(s) == 'E') {
        s->at++;
        s->at += peek(s) == '+' || peek(s) == '-';
        if (!scan_digits(s))
            return fail(s, "expected a digit in the exponent");
    }
    if (s->at - start <= NUMBER_MAX)
        return 0;
    return err_set(
        s->err, ERR_PROTOCOL, "invalid JSON at byte %zu: a number of more than %d characters", start, NUMBER_MAX);
}

static int scan_word(struct json_scan *s, const char *word)
{
    size_t n = strlen(word);

    if (s->len - s->at < n || memcmp(s->text + s->at, word, n) != 0)
        return fail(s, "expected a value");
    s->at += n;
    return 0;
}

static int scan_value(struct json_scan *s);

static int scan_member(struct json_scan *s)
{
    if (peek(s) != '"')
        return fail(s, "expected a name in double quotes");
    if (++s->names == s->wanted_name)
        s->name_offset = s->at;
    if (scan_string(s) < 0)
        return -1;
    skip_space(s);
    if (peek(s) != ':')
        return fail(s, "expected ':' after a name");
    s->at++;
    skip_space(s);
    return scan_value(s);
}

static int scan_container(struct json_scan *s, int (*scan_item)(struct json_scan *s), char end, const char *what)
{
    if (++s->depth > JSON_MAX_DEPTH)
        return err_set(
            s->err, ERR_PROTOCOL, "invalid JSON at byte %zu: nested deeper than %d levels", s->at, JSON_MAX_DEPTH);
    s->at++;
    skip_space(s);
    if (peek(s) != end) {
        for (;;) {
            if (scan_item(s) < 0)
                return -1;
            skip_space(s);
            if (peek(s) != ',')
                break;
            s->at++;
            skip_space(s);
        }
    }
    if (peek(s) != end)
        return fail(s, what);
    s->at++;
    s->depth--;
    return 0;
}

static int scan_value(struct json_scan *s)
{
    switch (peek(s)) {
    case '{':
        return scan_container(s, scan_member, '}', "expected ',' or '}'");
    case '[':
        return scan_container(s, scan_value, ']', "expected ',' or ']'");
    case '"':
        return scan_string(s);
    case 't':
        return scan_word(s, "true");
    case 'f':
        return scan_word(s, "false");
    case 'n':
        return scan_word(s, "null");
    default:
        if (peek(s) != '-' && !ascii_isdigit(peek(s)))
            return fail(s, "expected a value");
        return scan_number(s);
    }
}

int json_scan_text(struct json_scan *s)
{
    /* RFC 8259, 8.1: a reader may ignore a byte order mark. Some resource providers of Azure send one. */
    if (s->len >= 3 && memcmp(s->text, "\xEF\xBB\xBF", 3) == 0)
        s->at = 3;
    skip_space(s);
    if (scan_value(s) < 0)
        return -1;
    skip_space(s);
    return s->at < s->len ? fail(s, "unexpected text after the value") : 0;
}
