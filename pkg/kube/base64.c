/* Base64 (RFC 4648, section 4), strict but for line breaks: what kubectl accepts, and no more. */
#include "kube/base64.h"

#include "base/mem.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void put_group(struct buf *ret, unsigned group, int pads)
{
    for (int i = 0; i < 3 - pads; i++)
        buf_putc(ret, (char)(group >> (16 - 8 * i)));
}

bool kube_base64_decode(const char *text, struct buf *ret)
{
    unsigned group = 0;
    int n = 0, pads = 0;

    for (; *text; text++) {
        if (*text == '\n' || *text == '\r')
            continue;
        const char *at = memchr(alphabet, *text, sizeof(alphabet) - 1);
        if (*text == '=' && n >= 2)
            pads++;
        else if (!at || pads > 0)
            return false;
        group = group << 6 | (at ? (unsigned)(at - alphabet) : 0);
        if (++n < 4)
            continue;
        put_group(ret, group, pads);
        group = 0;
        n = 0;
    }
    return n == 0 && !ret->overflow;
}

char *kube_base64_encode(const char *bytes, size_t len)
{
    const unsigned char *p = (const unsigned char *)bytes;
    char *text = xmalloc((len + 2) / 3 * 4 + 1), *at = text;

    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        unsigned group = (unsigned)p[i] << 16;
        if (left > 1)
            group |= (unsigned)p[i + 1] << 8;
        if (left > 2)
            group |= p[i + 2];
        *at++ = alphabet[group >> 18 & 63];
        *at++ = alphabet[group >> 12 & 63];
        *at++ = left > 1 ? alphabet[group >> 6 & 63] : '=';
        *at++ = left > 2 ? alphabet[group & 63] : '=';
    }
    *at = '\0';
    return text;
}
