/* Three candidates and one Lease in virtual time, over thousands of random schedules: requests that are slow, lost, or
 * arrive after their sender has given up; answers that are lost; pauses, crashes, outages; clocks that differ and run
 * at different speeds; a Lease that is deleted.
 *
 * At no instant are two of them valid leaders, a paused one included. Once the faults stop, one of them is. */
#include "unit.h"

#include "kube/elector.h"

#include <stdio.h>
#include <string.h>

#define SECOND 1000LL
#define CANDIDATES 3
#define WIRE 256
#define SCHEDULES 4000
#define TROUBLE_MS (180 * SECOND)
#define END_MS (TROUBLE_MS + 60 * SECOND)

struct candidate {
    struct elector e;
    char identity[32];
    bool alive;
    int64_t starts_at;    /* when it does not live */
    int64_t paused_until; /* until then it does nothing */
    int64_t ahead_ms;     /* its clock */
    int64_t speed;        /* of its clock: so many parts of 1000 too fast */
    int64_t wall_ahead_ms;
    int version;   /* of the Lease as it knows it */
    int64_t due;   /* when it has something to do */
    bool waiting;  /* for an answer */
    int asked;     /* number of the request */
    int64_t begun; /* by its own clock */
    struct elector_step step;
    /* The answer, which is there at due. */
    bool answered, refused;
    bool found;
    struct lease_record record;
    int answer_version;
};

struct message {
    int64_t arrives; /* 0: nothing */
    int candidate, asked;
    enum elector_action action;
    struct lease_record record;
    int version;
};

struct election {
    uint64_t seed;
    int64_t now;
    bool deletions; /* instead of crashes: one that has just started cannot know who held what was deleted */
    bool calm;
    struct candidate c[CANDIDATES];
    struct message wire[WIRE];
    bool exists;
    struct lease_record lease;
    int version, births, leaders, take_overs;
    int64_t outage_until, next_fault;
    char last_leader[32];
};

static uint64_t below(struct election *x, uint64_t bound)
{
    x->seed = x->seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (x->seed >> 33) % bound;
}

static bool chance(struct election *x, unsigned percent)
{
    return !x->calm && below(x, 100) < percent;
}

static int64_t clock_of(const struct election *x, const struct candidate *c)
{
    return c->ahead_ms + x->now + x->now * c->speed / 1000;
}

/* The moment at which c's clock shows this, rounded up. */
static int64_t moment_of(const struct candidate *c, int64_t local)
{
    int64_t numerator = (local - c->ahead_ms) * 1000, denominator = 1000 + c->speed;

    return (numerator + denominator - 1) / denominator;
}

static void be_born(struct election *x, struct candidate *c)
{
    const int64_t ahead = (int64_t)below(x, 1000000000), speed = (int64_t)below(x, 21) - 10;
    const int64_t wall = ((int64_t)below(x, 7200) - 3600) * SECOND;

    *c = (struct candidate){.alive = true, .ahead_ms = ahead, .speed = speed, .wall_ahead_ms = wall, .due = x->now};
    (void)snprintf(c->identity, sizeof(c->identity), "c%d", ++x->births);
    const struct elector_options options = {.identity = c->identity,
        .lease_duration = 15 * SECOND,
        .renew_deadline = 10 * SECOND,
        .retry_period = 2 * SECOND};
    elector_init(&c->e, &options);
}

static void die(struct election *x, struct candidate *c, int64_t for_ms)
{
    c->alive = false;
    c->starts_at = x->now + for_ms;
}

/* ---- the candidate's side ---- */

static int64_t delay(struct election *x)
{
    if (chance(x, 4))
        return 1 + (int64_t)below(x, 25000); /* longer than anybody waits */
    return 1 + (int64_t)below(x, chance(x, 10) ? 3000 : 60);
}

static void post(struct election *x, struct candidate *c)
{
    for (size_t i = 0; i < WIRE; i++)
        if (!x->wire[i].arrives) {
            x->wire[i] = (struct message){.arrives = x->now + delay(x),
                .candidate = (int)(c - x->c),
                .asked = c->asked,
                .action = c->step.action,
                .record = c->step.record,
                .version = c->version};
            return;
        }
    fail_msg("too much is on its way");
}

static void ask(struct election *x, struct candidate *c)
{
    c->waiting = true;
    c->answered = false;
    c->asked++;
    c->begun = clock_of(x, c);
    c->due = moment_of(c, c->begun + c->step.timeout);
    if (!chance(x, 5))
        post(x, c);
}

static void hear(struct election *x, struct candidate *c)
{
    int64_t local = clock_of(x, c);

    c->waiting = false;
    if (!c->answered || local > c->begun + c->step.timeout) {
        elector_failed(&c->e, local, ELECTOR_UNKNOWN, -1, (unsigned)below(x, 1000));
    } else if (c->refused) {
        elector_failed(&c->e, local, ELECTOR_REFUSED, chance(x, 5) ? 3000 : -1, (unsigned)below(x, 1000));
    } else {
        c->version = c->answer_version;
        if (c->step.action == ELECTOR_READ)
            elector_read(&c->e, local, c->found ? &c->record : NULL);
        else
            elector_wrote(&c->e, local);
    }
}

static void act(struct election *x, struct candidate *c)
{
    int64_t local = clock_of(x, c), wall = 1772884800000LL + x->now + c->wall_ahead_ms;

    if (c->waiting)
        hear(x, c);
    if (chance(x, 2))
        c->wall_ahead_ms = ((int64_t)below(x, 7200) - 3600) * SECOND; /* somebody sets the clock */
    c->step = elector_next(&c->e, local, wall, (unsigned)below(x, 1000));
    if (c->step.action == ELECTOR_END)
        die(x, c, 500 + (int64_t)below(x, 5000)); /* its supervisor starts it again */
    else if (c->step.action == ELECTOR_SLEEP)
        c->due = moment_of(c, c->step.at);
    else
        ask(x, c);
}

/* ---- the server's side ---- */

static bool change(struct election *x, const struct message *m)
{
    bool fits = m->action == ELECTOR_CREATE ? !x->exists : x->exists && m->version == x->version;

    if (!fits)
        return false;
    x->exists = true;
    x->lease = m->record;
    x->version++;
    return true;
}

static void arrive(struct election *x, struct message *m)
{
    struct candidate *c = &x->c[m->candidate];
    struct message message = *m;
    bool refused = x->now < x->outage_until || (m->action != ELECTOR_READ && !change(x, m));
    int64_t answer_at = x->now + delay(x);

    m->arrives = 0;
    if (!c->alive || !c->waiting || c->asked != message.asked || chance(x, 5) || answer_at >= c->due)
        return; /* nobody waits for it, or it is lost */
    c->answered = true;
    c->refused = refused;
    c->found = x->exists;
    c->record = x->lease;
    c->answer_version = x->version;
    c->due = answer_at;
}

/* ---- faults ---- */

/* Who has not seen the present holder cannot know whom to wait for: two deletions between two looks are one to him. */
static bool all_know(const struct election *x)
{
    for (size_t i = 0; i < CANDIDATES; i++)
        if (!x->c[i].alive || !x->c[i].e.seen || x->c[i].e.absent ||
            strcmp(x->c[i].e.record.holder, x->lease.holder) != 0)
            return false;
    return true;
}

static void misfortune(struct election *x)
{
    struct candidate *c = &x->c[below(x, CANDIDATES)];

    x->next_fault = x->now + 1000 + (int64_t)below(x, 15000);
    switch (below(x, 4)) {
    case 0:
        c->paused_until = x->now + (int64_t)below(x, 40000);
        break;
    case 1:
        if (x->deletions)
            x->exists = x->exists && !all_know(x);
        else if (c->alive)
            die(x, c, (int64_t)below(x, 20000));
        break;
    case 2:
        x->outage_until = x->now + (int64_t)below(x, 14000);
        break;
    default:
        if (c->alive && c->e.state == ELECTOR_LEADS)
            c->paused_until = x->now + 8000 + (int64_t)below(x, 12000);
        break;
    }
}

static void become_calm(struct election *x)
{
    x->calm = true;
    x->outage_until = 0;
    x->next_fault = INT64_MAX;
    for (size_t i = 0; i < CANDIDATES; i++)
        x->c[i].paused_until = 0;
}

/* ---- the judge ---- */

static int valid_leaders(const struct election *x)
{
    int n = 0;

    for (size_t i = 0; i < CANDIDATES; i++)
        n += x->c[i].alive && clock_of(x, &x->c[i]) < elector_valid_until(&x->c[i].e);
    return n;
}

static void judge(struct election *x, uint64_t seed)
{
    int n = valid_leaders(x);

    if (n > 1)
        fail_msg("schedule %llu: %d valid leaders at %lld", (unsigned long long)seed, n, (long long)x->now);
    for (size_t i = 0; i < CANDIDATES; i++)
        if (x->c[i].alive && elector_valid_until(&x->c[i].e) && strcmp(x->last_leader, x->c[i].identity) != 0) {
            (void)snprintf(x->last_leader, sizeof(x->last_leader), "%s", x->c[i].identity);
            x->leaders++;
        }
}

/* ---- time ---- */

static int64_t due_of(const struct election *x, const struct candidate *c)
{
    int64_t due = c->alive ? c->due : c->starts_at;

    /* One that starts while the Lease is deleted would take it at once, see elector.h. */
    if (!c->alive && x->deletions && !x->exists && x->version > 0)
        due = due < x->now + SECOND ? x->now + SECOND : due;
    return c->alive && due < c->paused_until ? c->paused_until : due;
}

static void wake(struct election *x, struct candidate *c)
{
    if (c->alive)
        act(x, c);
    else if (x->deletions && !x->exists && x->version > 0)
        c->starts_at = x->now + SECOND;
    else
        be_born(x, c);
}

static void step(struct election *x)
{
    int64_t first = x->next_fault;
    struct message *message = NULL;
    struct candidate *candidate = NULL;

    for (size_t i = 0; i < WIRE; i++)
        if (x->wire[i].arrives && x->wire[i].arrives < first) {
            message = &x->wire[i];
            first = message->arrives;
        }
    for (size_t i = 0; i < CANDIDATES; i++)
        if (due_of(x, &x->c[i]) < first) {
            candidate = &x->c[i];
            first = due_of(x, candidate);
        }
    if (first > x->now)
        x->now = first;
    if (candidate)
        wake(x, candidate);
    else if (message)
        arrive(x, message);
    else
        misfortune(x);
}

static int run(uint64_t seed)
{
    struct election x = {.seed = seed, .deletions = seed % 3 == 0, .next_fault = 5 * SECOND};

    for (size_t i = 0; i < CANDIDATES; i++)
        be_born(&x, &x.c[i]);
    while (x.now < END_MS) {
        if (!x.calm && x.now >= TROUBLE_MS)
            become_calm(&x);
        step(&x);
        judge(&x, seed);
    }
    if (valid_leaders(&x) != 1)
        fail_msg("schedule %llu: nobody leads although all is well", (unsigned long long)seed);
    return x.leaders;
}

static void never_two_and_in_the_end_one(void **state)
{
    int leaders = 0;
    (void)state;

    for (uint64_t seed = 1; seed <= SCHEDULES; seed++)
        leaders += run(seed);
    assert_true(leaders > 3 * SCHEDULES); /* there was something to hand over */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_two_and_in_the_end_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
