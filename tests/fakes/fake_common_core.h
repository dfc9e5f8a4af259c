/* The parts of the core, private to fakes_common. Nothing here locks: the core does. */
#pragma once

#include "fakes/fake_common.h"

/* ---- Fault rules ---- */

enum fake_cut { FAKE_CUT_NOT, FAKE_CUT_BEFORE, FAKE_CUT_AFTER };

/* What a rule does to one request; owns its strings. Zeroed: nothing. */
struct fake_action {
    bool some;
    int status;  /* 0: the fake's own answer */
    bool commit; /* with status: the request is handled, only its answer is replaced */
    bool hold;
    enum fake_cut cut;
    int64_t delay_ms;
    int64_t retry_after; /* seconds; -1: none */
    char *body;
    cJSON *headers;  /* object of strings, or NULL */
    char *kill_file; /* the process whose pid this file holds gets SIGKILL when the connection is cut; NULL: nobody */
    enum fake_cut killed; /* with it: as the rule says, whatever another one does to the effect */
};

struct fake_fault;

struct fake_faults {
    struct fake_fault **v;
    size_t n;
};

void fake_action_done(struct fake_action *action);
int fake_faults_add(struct fake_faults *faults, const cJSON *rule, struct err *err);
void fake_faults_clear(struct fake_faults *faults);
/* The same, but rules that kill stay: they are whoever's planted them, not of the test that heals. */
void fake_faults_heal(struct fake_faults *faults);
/* Counts the request against every rule and fills *ret from the first one whose turn it is. Whoever is killed before
 * has asked nothing: the rules after that do not count the request. Whoever is killed after is killed on top of what
 * another rule does. agent (may be NULL): its User-Agent. */
void fake_faults_match(
    struct fake_faults *faults, const struct httpd_request *request, const char *agent, struct fake_action *ret);
/* The rules with how often each has matched and fired. */
void fake_faults_print(const struct fake_faults *faults, struct buf *b);

/* ---- The journal ---- */

#define FAKE_JOURNAL_MAX 250000
#define FAKE_JOURNAL_BODY_MAX 8192

struct fake_entry {
    int64_t seq;
    int64_t time_ms;
    int64_t received_us; /* of the real clock, whatever POST /fake/clock says, for measurements */
    int64_t took_us;     /* until the answer was ready to be sent */
    char *method;
    char *path;
    char *query;
    char *body;
    char *correlation_id;
    char *agent;
    enum fake_cut killed; /* whether a rule has killed its sender, and when */
    int status;           /* 0: not answered, or not yet */
};

struct fake_journal {
    struct fake_entry *v; /* a ring: entry of seq s is v[s % cap] */
    size_t cap;
    int64_t first, next; /* seq of the oldest kept, and of the next one; the first ever is 1 */
};

struct fake_journal_filter {
    int64_t since;             /* entries after this seq */
    const char *method;        /* NULL: any */
    const char *path_contains; /* NULL: any; without regard to case */
};

void fake_journal_done(struct fake_journal *journal);
void fake_journal_clear(struct fake_journal *journal);
/* Fills the next entry and returns its seq. The request is copied, signatures left out of the query. */
int64_t fake_journal_add(struct fake_journal *journal, const struct httpd_request *request, int64_t now_ms);
/* NULL when it is no longer kept. */
struct fake_entry *fake_journal_at(struct fake_journal *journal, int64_t seq);
/* The entries that fit, as a JSON array. */
void fake_journal_print(struct fake_journal *journal, const struct fake_journal_filter *filter, struct buf *b);
/* How many of them there are, and when the first and the last came, as a JSON object. */
void fake_journal_summarize(struct fake_journal *journal, const struct fake_journal_filter *filter, struct buf *b);
