/* The journal: what was asked, in which order, and how it was answered.
 *
 * It keeps the last FAKE_JOURNAL_MAX requests. It never shows an Authorization header, nor the signed parts of an
 * operation URL (c, s, h), which are long and worth a token to whoever has one. */
#include "base/mem.h"
#include "base/str.h"
#include "fakes/fake_common_core.h"

#include <string.h>

static void entry_done(struct fake_entry *entry)
{
    free(entry->method);
    free(entry->path);
    free(entry->query);
    free(entry->body);
    free(entry->correlation_id);
    free(entry->agent);
    *entry = (struct fake_entry){0};
}

void fake_journal_clear(struct fake_journal *journal)
{
    for (size_t i = 0; i < journal->cap; i++)
        entry_done(&journal->v[i]);
    journal->first = journal->next;
}

void fake_journal_done(struct fake_journal *journal)
{
    fake_journal_clear(journal);
    free(journal->v);
    *journal = (struct fake_journal){0};
}

/* Doubles the ring; entries move to where their seq belongs now. */
static void grow(struct fake_journal *journal)
{
    size_t cap = journal->cap ? journal->cap * 2 : 1024;
    struct fake_entry *v;

    if (cap > FAKE_JOURNAL_MAX)
        cap = FAKE_JOURNAL_MAX;
    v = xcalloc(cap, sizeof(*v));
    for (size_t i = 0; i < journal->cap; i++)
        v[(size_t)journal->v[i].seq % cap] = journal->v[i];
    free(journal->v);
    journal->v = v;
    journal->cap = cap;
}

static char *query_without_signatures(const char *query)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(FAKE_JOURNAL_BODY_MAX);

    while (*query) {
        size_t n = strcspn(query, "&");
        bool signature = n > 2 && query[1] == '=' && strchr("csh", query[0]);
        if (!signature) {
            if (b.len)
                buf_putc(&b, '&');
            buf_add(&b, query, n);
        }
        query += n + (query[n] == '&');
    }
    return buf_take(&b);
}

int64_t fake_journal_add(struct fake_journal *journal, const struct httpd_request *request, int64_t now_ms)
{
    if (journal->next == 0)
        journal->first = journal->next = 1;
    if (journal->next - journal->first == (int64_t)journal->cap) {
        if (journal->cap < FAKE_JOURNAL_MAX)
            grow(journal);
        else
            entry_done(&journal->v[(size_t)journal->first++ % journal->cap]);
    }
    size_t body_len = request->body_len < FAKE_JOURNAL_BODY_MAX ? request->body_len : FAKE_JOURNAL_BODY_MAX;
    journal->v[(size_t)journal->next % journal->cap] = (struct fake_entry){.seq = journal->next,
        .time_ms = now_ms,
        .method = xstrdup(request->method),
        .path = xstrdup(request->path),
        .query = query_without_signatures(request->query),
        .body = body_len ? xstrndup(request->body, body_len) : NULL};
    return journal->next++;
}

struct fake_entry *fake_journal_at(struct fake_journal *journal, int64_t seq)
{
    if (seq < journal->first || seq >= journal->next)
        return NULL;
    return &journal->v[(size_t)seq % journal->cap];
}

static void put_member(struct buf *b, const char *name, const char *value)
{
    if (!value)
        return;
    buf_printf(b, ",\"%s\":", name);
    buf_put_json_string(b, value, strlen(value));
}

static const char *killed_word(enum fake_cut killed)
{
    return killed == FAKE_CUT_NOT ? NULL : killed == FAKE_CUT_BEFORE ? "before" : "after";
}

static bool fits(const struct fake_entry *entry, const struct fake_journal_filter *filter)
{
    return (!filter->method || str_eq_nocase(entry->method, filter->method)) &&
           (!filter->path_contains || str_find_nocase(entry->path, filter->path_contains));
}

static int64_t first_of(const struct fake_journal *journal, const struct fake_journal_filter *filter)
{
    return filter->since >= journal->first ? filter->since + 1 : journal->first;
}

void fake_journal_print(struct fake_journal *journal, const struct fake_journal_filter *filter, struct buf *b)
{
    const char *separator = "";

    buf_putc(b, '[');
    for (int64_t seq = first_of(journal, filter); seq < journal->next; seq++) {
        const struct fake_entry *entry = fake_journal_at(journal, seq);
        if (!fits(entry, filter))
            continue;
        buf_printf(b, "%s{\"seq\":%lld,\"time\":%lld,\"receivedUs\":%lld,\"tookUs\":%lld,\"status\":%d", separator,
            (long long)seq, (long long)entry->time_ms, (long long)entry->received_us, (long long)entry->took_us,
            entry->status);
        put_member(b, "method", entry->method);
        put_member(b, "path", entry->path);
        put_member(b, "query", entry->query);
        put_member(b, "body", entry->body);
        put_member(b, "correlationId", entry->correlation_id);
        put_member(b, "agent", entry->agent);
        put_member(b, "killed", killed_word(entry->killed));
        buf_putc(b, '}');
        separator = ",\n";
    }
    buf_puts(b, "]\n");
}

void fake_journal_summarize(struct fake_journal *journal, const struct fake_journal_filter *filter, struct buf *b)
{
    long long n = 0, first_us = 0, last_us = 0;

    for (int64_t seq = first_of(journal, filter); seq < journal->next; seq++) {
        const struct fake_entry *entry = fake_journal_at(journal, seq);
        if (!fits(entry, filter))
            continue;
        if (n++ == 0)
            first_us = entry->received_us;
        last_us = entry->received_us + entry->took_us;
    }
    buf_printf(b, "{\"count\":%lld,\"firstUs\":%lld,\"lastUs\":%lld,\"lastSeq\":%lld}\n", n, first_us, last_us,
        (long long)journal->next - 1);
}
