/* What happened, as a person would tell it: one line an event, in seconds since the begin. Passes that are like the one
 * before are counted instead of shown. */
#include "sim/world.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"

#include <stdio.h>
#include <string.h>

static void stamp(const struct world *w, struct buf *b)
{
    buf_printf(b, "[%7lld] ", (long long)((w->now - w->begin) / 1000));
}

static void flush_quiet(struct world *w, struct world_object *o)
{
    if (o->quiet && o->quiet_writes)
        buf_printf(&w->trace, "          %s  ... %zu more like this, %zu of them wrote the status\n", o->key, o->quiet,
            o->quiet_writes);
    else if (o->quiet)
        buf_printf(&w->trace, "          %s  ... %zu more like this\n", o->key, o->quiet);
    o->quiet = o->quiet_writes = 0;
}

/* The moment of an edit may be in the middle of a pass: then it is one line of it. */
void trace_note(struct world *w, const char *format, ...)
{
    bool in_pass = w->pass_text.len > 0;
    struct buf *b = in_pass ? &w->pass_text : &w->trace;
    va_list args;

    for (size_t i = 0; i < w->n_objects && !in_pass; i++)
        flush_quiet(w, &w->objects[i]);
    stamp(w, b);
    buf_puts(b, "* ");
    va_start(args, format);
    buf_vprintf(b, format, args);
    va_end(args);
    buf_putc(b, '\n');
    w->pass_is_news = w->pass_is_news || in_pass;
}

void trace_effect(struct world *w, enum trace weight, const char *format, ...)
{
    _cleanup_(buf_done) struct buf line = BUF_INIT(65536);
    va_list args;

    va_start(args, format);
    buf_vprintf(&line, format, args);
    va_end(args);
    stamp(w, &w->pass_text);
    buf_printf(&w->pass_text, "@  %s\n", buf_str(&line));
    if (weight == TRACE_USUAL)
        buf_printf(&w->pass_print, "%s\n", buf_str(&line));
    w->pass_is_news = w->pass_is_news || weight == TRACE_NEWS;
}

/* The conditions beside Ready that say something. */
static void put_conditions(struct buf *b, const struct world_object *o)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, json_at(o->json, "status.conditions")) {
        const char *type = json_string_at(item, "type"), *status = json_string_at(item, "status");
        if (str_eq(type, "Ready"))
            continue;
        if (str_eq(type, "Reconciling") || str_eq(type, "Stalled"))
            buf_printf(b, ", %s", type);
        else
            buf_printf(b, ", %s=%s", type, status);
    }
}

/* A write that only says anew how long something takes is counted, not shown. */
void trace_status(struct world *w, struct world_object *o)
{
    _cleanup_(buf_done) struct buf line = BUF_INIT(65536);
    const char *type = json_string_at(o->json, "status.operation.type");

    buf_printf(
        &line, "status: Ready=%s %s", world_condition(o, "Ready", "status"), world_condition(o, "Ready", "reason"));
    put_conditions(&line, o);
    if (type)
        buf_printf(&line, ", operation %s %s", type, json_string_at(o->json, "status.operation.state"));
    if (json_string_at(o->json, "status.encryptedAt"))
        buf_puts(&line, ", encryptedAt");
    w->pass_wrote = true;
    trace_effect(w, str_eq(o->status_line, buf_str(&line)) ? TRACE_DETAIL : TRACE_NEWS, "%s", buf_str(&line));
    str_replace(&o->status_line, buf_str(&line));
    buf_printf(&w->pass_text, "          @    \"%s\"\n", world_condition(o, "Ready", "message"));
}

void trace_event(struct world *w, const struct cmk_event *event)
{
    trace_effect(w, TRACE_NEWS, "event %s %s, %s", event->warning ? "Warning" : "Normal", event->reason, event->action);
    buf_printf(&w->pass_text, "          @    \"%s\"\n", event->note);
}

/* '@' at the begin of a line's text stands for the resource. */
static void show(struct world *w, const char *key)
{
    for (const char *line = buf_str(&w->pass_text), *end; (end = strchr(line, '\n')); line = end + 1) {
        const char *at = line + strlen("[1234567] ");
        if (*at == '@')
            buf_printf(&w->trace, "%.*s%s%.*s\n", (int)(at - line), line, key, (int)(end - at - 1), at + 1);
        else
            buf_printf(&w->trace, "%.*s\n", (int)(end - line), line);
    }
}

static void put_verdict(struct world *w, const struct reconcile_verdict *verdict)
{
    char after[TIME_TEXT_SIZE];

    duration_format(verdict->after_ms, after);
    buf_printf(&w->pass_print, "%s\n", verdict->rule ? verdict->rule : "");
    if (verdict->backoff)
        trace_effect(w, TRACE_DETAIL, "=> %s, again after a growing delay", verdict->rule);
    else if (verdict->after_ms)
        trace_effect(w, TRACE_DETAIL, "=> %s, again in %s", verdict->rule, after);
    else
        trace_effect(w, TRACE_DETAIL, "=> %s", verdict->rule ? verdict->rule : "gone");
}

void trace_pass(struct world *w, const char *key, const struct reconcile_verdict *verdict)
{
    struct world_object *o = world_object_at(w, key);

    if (!w->dead)
        put_verdict(w, verdict);
    if (!w->pass_is_news && str_eq(o->shown, buf_str(&w->pass_print))) {
        o->quiet++;
        o->quiet_writes += w->pass_wrote;
    } else {
        flush_quiet(w, o);
        show(w, key);
        str_replace(&o->shown, buf_str(&w->pass_print));
    }
    buf_clear(&w->pass_text);
    buf_clear(&w->pass_print);
    w->pass_wrote = w->pass_is_news = false;
}

const char *trace_text(struct world *w)
{
    for (size_t i = 0; i < w->n_objects; i++)
        flush_quiet(w, &w->objects[i]);
    return buf_str(&w->trace);
}
