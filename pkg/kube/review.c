/* Two calls and a table of what they brought. The lock covers the table alone: two threads may ask about one token at a
 * time, and both get an answer. */
#include "kube/review.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/secret.h"
#include "base/str.h"
#include "kube/wipe.h"

#include <pthread.h>
#include <string.h>

#define SLOTS 64
#define SALT_SIZE 32
#define ALLOWED_MS 60000
#define REFUSED_MS 10000
#define MAX_LISTED 1024 /* groups, extra keys, values of one key */

struct slot {
    char key[DIGEST_HEX_SIZE]; /* "": free */
    enum kube_verdict verdict;
    int64_t until_ms; /* monotonic */
};

struct kube_reviewer {
    struct kube_reviewer_options options;
    char salt[SALT_SIZE];
    pthread_mutex_t lock;
    struct slot slots[SLOTS];
};

struct kube_reviewer *kube_reviewer_new(const struct kube_reviewer_options *options)
{
    struct kube_reviewer *reviewer = xcalloc(1, sizeof(*reviewer));
    struct kube_reviewer_options *o = &reviewer->options;

    *o = *options;
    o->allowed_ms = o->allowed_ms ? o->allowed_ms : ALLOWED_MS;
    o->refused_ms = o->refused_ms ? o->refused_ms : REFUSED_MS;
    o->mono_ms = o->mono_ms ? o->mono_ms : clock_mono_ms;
    random_bytes(reviewer->salt, sizeof(reviewer->salt));
    (void)pthread_mutex_init(&reviewer->lock, NULL);
    return reviewer;
}

struct kube_reviewer *kube_reviewer_free(struct kube_reviewer *reviewer)
{
    if (!reviewer)
        return NULL;
    (void)pthread_mutex_destroy(&reviewer->lock);
    free(reviewer);
    return NULL;
}

/* ---- what is known ---- */

static void key_of(const struct kube_reviewer *reviewer, const char *token, char ret[static DIGEST_HEX_SIZE])
{
    size_t len = strlen(token);
    char *both = xmalloc(SALT_SIZE + len);

    memcpy(both, reviewer->salt, SALT_SIZE);
    memcpy(both + SALT_SIZE, token, len);
    digest_sha256_hex(both, SALT_SIZE + len, ret);
    secret_wipe(both, SALT_SIZE + len);
    free(both);
}

static struct slot *find(struct kube_reviewer *reviewer, const char *key)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (str_eq(reviewer->slots[i].key, key))
            return &reviewer->slots[i];
    return NULL;
}

bool kube_reviewer_recall(struct kube_reviewer *reviewer, const char *token, enum kube_verdict *ret)
{
    char key[DIGEST_HEX_SIZE];

    key_of(reviewer, token, key);
    (void)pthread_mutex_lock(&reviewer->lock);
    const struct slot *slot = find(reviewer, key);
    bool known = slot && reviewer->options.mono_ms() < slot->until_ms;
    if (known)
        *ret = slot->verdict;
    (void)pthread_mutex_unlock(&reviewer->lock);
    return known;
}

/* Of two, the one that is rather given up: what is over, then what says no, then what is over sooner. */
static bool is_lesser(const struct slot *a, const struct slot *b, int64_t now)
{
    bool a_lives = now < a->until_ms, b_lives = now < b->until_ms;

    if (a_lives != b_lives)
        return !a_lives;
    if ((a->verdict == KUBE_ALLOWED) != (b->verdict == KUBE_ALLOWED))
        return a->verdict != KUBE_ALLOWED;
    return a->until_ms < b->until_ms;
}

/* NULL when only answers that say yes could make room for one that says no. */
static struct slot *make_room(struct kube_reviewer *reviewer, enum kube_verdict verdict, int64_t now)
{
    struct slot *least = &reviewer->slots[0];

    for (size_t i = 1; i < SLOTS; i++)
        if (is_lesser(&reviewer->slots[i], least, now))
            least = &reviewer->slots[i];
    bool matters = now < least->until_ms && least->verdict == KUBE_ALLOWED;
    return matters && verdict != KUBE_ALLOWED ? NULL : least;
}

static void keep(struct kube_reviewer *reviewer, const char *token, enum kube_verdict verdict)
{
    int64_t now = reviewer->options.mono_ms();
    int64_t ms = verdict == KUBE_ALLOWED ? reviewer->options.allowed_ms : reviewer->options.refused_ms;
    char key[DIGEST_HEX_SIZE];

    key_of(reviewer, token, key);
    (void)pthread_mutex_lock(&reviewer->lock);
    struct slot *slot = find(reviewer, key);
    if (!slot)
        slot = make_room(reviewer, verdict, now);
    if (slot) {
        (void)str_copy(slot->key, sizeof(slot->key), key);
        slot->verdict = verdict;
        slot->until_ms = now + ms;
    }
    (void)pthread_mutex_unlock(&reviewer->lock);
}

/* ---- asking ---- */

static cJSON *begin_review(const char *api_version, const char *kind, cJSON **ret_spec)
{
    cJSON *review = cJSON_CreateObject();

    json_add_string(review, "apiVersion", api_version);
    json_add_string(review, "kind", kind);
    *ret_spec = json_add_object(review, "spec");
    return review;
}

static int ask_who(struct kube_reviewer *reviewer, const char *token, cJSON **ret, struct err *err)
{
    static const struct kube_resource resource = {"authentication.k8s.io", "v1", "tokenreviews"};
    cJSON *spec;
    _cleanup_(kube_wipe_treep) cJSON *review = begin_review("authentication.k8s.io/v1", "TokenReview", &spec);

    json_add_string(spec, "token", token);
    if (kube_create(reviewer->options.client, &resource, NULL, review, ret, err) == 0)
        return 0;
    if (err && strstr(err->msg, token)) /* the API server's words, whatever they are */
        return err_set(err, err->kind, "the API server refused a TokenReview");
    return err_wrap(err, "TokenReview");
}

/* Strings only, and no more than MAX_LISTED. */
static void copy_strings(cJSON *to, const char *name, const cJSON *from)
{
    cJSON *array = cJSON_IsArray(from) ? json_add_array(to, name) : NULL;
    const cJSON *item;
    size_t n = 0;

    if (!array)
        return;
    cJSON_ArrayForEach (item, from)
        if (cJSON_IsString(item) && n++ < MAX_LISTED)
            cJSON_AddItemToArray(array, cJSON_CreateString(item->valuestring));
}

/* What authorization may depend on, as the API server itself has told it. */
static void copy_user(cJSON *spec, const cJSON *user)
{
    cJSON *extra = json_add_object(spec, "extra");
    const cJSON *item;
    size_t n = 0;

    json_add_string(spec, "user", json_string_at(user, "username"));
    json_add_string(spec, "uid", json_string_at(user, "uid"));
    copy_strings(spec, "groups", json_member(user, "groups"));
    cJSON_ArrayForEach (item, json_member(user, "extra"))
        if (item->string && n++ < MAX_LISTED)
            copy_strings(extra, item->string, item);
}

static int ask_whether(struct kube_reviewer *reviewer, const cJSON *user, bool *ret, struct err *err)
{
    static const struct kube_resource resource = {"authorization.k8s.io", "v1", "subjectaccessreviews"};
    cJSON *spec;
    _cleanup_(json_freep) cJSON *review = begin_review("authorization.k8s.io/v1", "SubjectAccessReview", &spec);
    _cleanup_(json_freep) cJSON *answer = NULL;

    copy_user(spec, user);
    cJSON *attributes = json_add_object(spec, "nonResourceAttributes");
    json_add_string(attributes, "path", reviewer->options.path);
    json_add_string(attributes, "verb", reviewer->options.verb);
    if (kube_create(reviewer->options.client, &resource, NULL, review, &answer, err) < 0)
        return err_wrap(err, "SubjectAccessReview");
    *ret = json_bool_at(answer, "status.allowed", false) && !json_bool_at(answer, "status.denied", false);
    return 0;
}

int kube_reviewer_ask(struct kube_reviewer *reviewer, const char *token, enum kube_verdict *ret, struct err *err)
{
    _cleanup_(kube_wipe_treep) cJSON *answer = NULL; /* which repeats the token */
    bool allowed = false;

    if (ask_who(reviewer, token, &answer, err) < 0)
        return -1;
    const cJSON *user = json_at(answer, "status.user");
    bool known = json_bool_at(answer, "status.authenticated", false) && !str_empty(json_string_at(user, "username"));
    if (known && ask_whether(reviewer, user, &allowed, err) < 0)
        return -1;
    *ret = allowed ? KUBE_ALLOWED : known ? KUBE_DENIED : KUBE_UNAUTHENTICATED;
    keep(reviewer, token, *ret);
    return 0;
}
