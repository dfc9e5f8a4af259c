/* Bytes in order. The front is given back only when half of the memory is dead, so that dropping is cheap for large
 * answers. */
#include "httpd/internal.h"

void pipe_add(struct pipe *q, const void *data, size_t len)
{
    if (q->off > 4096 && q->off > q->b.len / 2) {
        buf_consume(&q->b, q->off);
        q->off = 0;
    }
    buf_add(&q->b, data, len);
}

void pipe_drop(struct pipe *q, size_t n)
{
    q->off += n;
    if (q->off < q->b.len)
        return;
    q->off = 0;
    /* Idle connections should not keep the memory of the largest answer they ever gave. */
    if (q->b.cap > 64 * 1024)
        buf_done(&q->b);
    else
        buf_clear(&q->b);
}

void pipe_done(struct pipe *q)
{
    buf_done(&q->b);
    q->off = 0;
}
