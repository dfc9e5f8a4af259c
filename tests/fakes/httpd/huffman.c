/* The code is canonical: within one length, codes ascend with the symbol, and the first code of a length follows from
 * the counts of the shorter ones. So the lengths of appendix B are the whole table. */
#include "httpd/huffman.h"

#define LONGEST 30
#define END_OF_STRING 256

/* clang-format off */
static const uint8_t lengths[257] = {
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28,
    28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15,
    6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22,
    20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23,
    23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22,
    22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26,
    27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27,
    26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
};
/* clang-format on */

struct decoder {
    uint32_t first[LONGEST + 1]; /* code of the first symbol of that length */
    uint16_t count[LONGEST + 1];
    uint16_t start[LONGEST + 1]; /* where its symbols begin */
    uint16_t symbols[257];       /* by length, then value */
};

static void decoder_build(struct decoder *d)
{
    uint32_t code = 0;
    uint16_t at = 0;

    *d = (struct decoder){0};
    for (int len = 1; len <= LONGEST; len++) {
        code <<= 1;
        d->first[len] = code;
        d->start[len] = at;
        for (int symbol = 0; symbol < 257; symbol++) {
            if (lengths[symbol] == len)
                d->symbols[at++] = (uint16_t)symbol;
        }
        d->count[len] = (uint16_t)(at - d->start[len]);
        code += d->count[len];
    }
}

int huffman_decode(const uint8_t *data, size_t len, struct buf *ret)
{
    static __thread struct decoder d; /* built once for each thread, of which there is one */
    uint32_t code = 0;
    int bits = 0;

    if (!d.count[5])
        decoder_build(&d);
    for (size_t i = 0; i < len * 8; i++) {
        code = code << 1 | (data[i / 8] >> (7 - i % 8) & 1);
        bits++;
        if (bits > LONGEST)
            return -1;
        if (d.count[bits] && code - d.first[bits] < d.count[bits]) {
            uint16_t symbol = d.symbols[d.start[bits] + code - d.first[bits]];

            if (symbol == END_OF_STRING)
                return -1;
            buf_putc(ret, (char)symbol);
            code = 0;
            bits = 0;
        }
    }
    /* Section 5.2: what is left is the beginning of the end-of-string symbol, ones, and shorter than a byte. */
    return bits > 7 || code != ((uint32_t)1 << bits) - 1 ? -1 : 0;
}
