/* The table of rules as a specification: a situation, and what is done about it. Every row of the table has at least
 * one. */
#include "unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "cmk/view.h"
#include "scene.h"

#include <string.h>

#define NEVER 0
#define BACKOFF (-1)

struct row {
    const char *sentence, *given, *rule;
    enum cmk_effect effect;
    enum cmk_reason reason;
    enum cmk_phase phase;
    int64_t wake_in; /* ms from now, NEVER or BACKOFF; of CMK_REST only */
};

#define RESTS(rule, reason, phase, wake_in) rule, CMK_REST, CMK_REASON_##reason, CMK_IS_##phase, wake_in
#define DOES(rule, effect) rule, CMK_##effect, CMK_REASON_NONE, CMK_IS_READY, NEVER
#define STARTS(rule, effect) rule, CMK_##effect, CMK_REASON_STARTING, CMK_IS_WORKING, NEVER

static const struct row rows[] = {
    /* the resource itself */
    {"a deleted resource is left alone", "deleting", DOES("deleted", GONE)},
    {"a deleted resource is left alone whatever runs", "deleting account busy op=EnableKey:Accepted",
        DOES("deleted", GONE)},
    {"deletion comes before a broken spec", "deleting invalid", DOES("deleted", GONE)},
    {"a broken spec waits for its change", "invalid", RESTS("spec-invalid", INVALID_SPEC, STALLED, NEVER)},
    {"a broken spec is not read for, even when armed", "invalid armed op=EnableKey:Requested",
        RESTS("spec-invalid", INVALID_SPEC, STALLED, NEVER)},
    {"what this version cannot do is refused, not ignored", "unsupported",
        RESTS("spec-unsupported", UNSUPPORTED_SPEC, STALLED, NEVER)},
    {"an unknown time zone may be installed later", "window=unknown",
        RESTS("zone-unknown", INVALID_SPEC, STALLED, 10 * MINUTE)},
    {"the younger of two for an account stands back", "owner account",
        RESTS("account-conflict", ACCOUNT_CONFLICT, STALLED, 10 * MINUTE)},
    {"the younger does not even read", "owner", RESTS("account-conflict", ACCOUNT_CONFLICT, STALLED, 10 * MINUTE)},
    {"a suspended resource reads nothing", "suspended", RESTS("suspended", SUSPENDED, IDLE, NEVER)},
    {"a suspended resource does not follow its operation", "suspended op=EnableKey:Accepted url age=1h",
        RESTS("suspended", SUSPENDED, IDLE, NEVER)},
    {"a suspended resource does not conclude about a lost answer", "suspended account op=EnableKey:Requested age=1h",
        RESTS("suspended", SUSPENDED, IDLE, NEVER)},
    /* refused */
    {"locked by another operation: again, later", "account unread refused=locked",
        RESTS("refused-busy", ACCOUNT_BUSY, WORKING, BACKOFF)},
    {"not online is the same as locked", "account unread refused=invalid offline",
        RESTS("refused-busy", ACCOUNT_BUSY, WORKING, BACKOFF)},
    {"throttled: as long as Azure says", "account unread refused=throttled retry-after=17s",
        RESTS("refused-throttled", THROTTLED, WORKING, 17 * SECOND)},
    {"throttled without a word on when: back-off", "account unread refused=throttled",
        RESTS("refused-throttled", THROTTLED, WORKING, BACKOFF)},
    {"forbidden: a person grants the right", "account unread refused=forbidden",
        RESTS("refused-denied", ACCESS_DENIED, STALLED, 10 * MINUTE)},
    {"unauthorized: a person mends the identity", "account unread refused=unauthorized",
        RESTS("refused-denied", ACCESS_DENIED, STALLED, 10 * MINUTE)},
    {"a refusal of the change itself is a failed operation", "account unread refused=invalid op=EnableKey:Requested",
        DOES("refused", SETTLE)},
    {"an identity that does not exist is a refusal", "account unread refused=not-found op=AttachIdentity:Requested",
        DOES("refused", SETTLE)},
    {"a conflict is a refusal", "account unread refused=conflict op=EnableKey:Requested", DOES("refused", SETTLE)},
    {"after a settled refusal the account is read", "unread sent op=EnableKey:Failed ended",
        DOES("account-unread", READ_ACCOUNT)},
    /* the account */
    {"nothing is decided about an account that was not read", "", DOES("account-unread", READ_ACCOUNT)},
    {"an operation on its way is no excuse for not reading", "op=EnableKey:Accepted url",
        DOES("account-unread", READ_ACCOUNT)},
    {"an armed change reads the account again", "armed op=EnableKey:Requested", DOES("account-unread", READ_ACCOUNT)},
    {"no such account", "account-error=not-found", RESTS("account-not-found", ACCOUNT_NOT_FOUND, STALLED, 10 * MINUTE)},
    {"no such account, though we encrypt it", "account-error=not-found op=EnableKey:Accepted",
        RESTS("account-not-found", ACCOUNT_NOT_FOUND, STALLED, 10 * MINUTE)},
    {"no right to read", "account-error=forbidden", RESTS("account-denied", ACCESS_DENIED, STALLED, 10 * MINUTE)},
    {"no identity to read with", "account-error=unauthorized",
        RESTS("account-denied", ACCESS_DENIED, STALLED, 10 * MINUTE)},
    {"too many reads: as long as Azure says", "account-error=throttled retry-after=10m",
        RESTS("account-throttled", THROTTLED, UNREACHABLE, 10 * MINUTE)},
    {"too many reads without a word on when", "account-error=throttled",
        RESTS("account-throttled", THROTTLED, UNREACHABLE, BACKOFF)},
    {"no connection", "account-error=unavailable",
        RESTS("account-unreadable", AZURE_UNAVAILABLE, UNREACHABLE, BACKOFF)},
    {"no answer in time", "account-error=timeout",
        RESTS("account-unreadable", AZURE_UNAVAILABLE, UNREACHABLE, BACKOFF)},
    {"not the Azure we trust", "account-error=tls",
        RESTS("account-unreadable", AZURE_UNAVAILABLE, UNREACHABLE, BACKOFF)},
    {"an answer without sense", "account-error=protocol",
        RESTS("account-unreadable", AZURE_UNAVAILABLE, UNREACHABLE, BACKOFF)},
    {"unreadable while armed: nothing is sent", "armed op=EnableKey:Requested account-error=unavailable",
        RESTS("account-unreadable", AZURE_UNAVAILABLE, UNREACHABLE, BACKOFF)},
    /* a lost answer */
    {"a lost answer, and the account is busy: it arrived", "account busy op=EnableKey:Requested age=5s",
        DOES("lost-answer-runs", SETTLE)},
    {"busy in a word that nobody knows", "account state=Reticulating op=EnableKey:Requested age=1h",
        DOES("lost-answer-runs", SETTLE)},
    {"a lost answer, and the account shows the key", "account has-key op=EnableKey:Requested age=5s",
        DOES("lost-answer-applied", SETTLE)},
    {"a lost answer about an identity that is attached now", "account identity attached op=AttachIdentity:Requested",
        DOES("lost-answer-applied", SETTLE)},
    {"a lost grant is looked for", "account grant op=GrantKeyAccess:Requested age=5s evidence=unread",
        DOES("lost-grant-unread", GATHER)},
    {"a lost grant that shows", "account grant op=GrantKeyAccess:Requested age=5s",
        DOES("lost-answer-applied", SETTLE)},
    {"a lost grant that does not show yet", "account grant no-access op=GrantKeyAccess:Requested age=30s",
        RESTS("lost-answer-unsettled", CONFIRMING, WORKING, 5 * SECOND)},
    {"a busy account says nothing about a lost grant",
        "account busy grant no-access op=GrantKeyAccess:Requested age=30s",
        RESTS("lost-answer-unsettled", CONFIRMING, WORKING, 5 * SECOND)},
    {"a grant is looked for", "account grant op=GrantKeyAccess:Accepted age=5s evidence=unread",
        DOES("grant-unread", GATHER)},
    {"a grant that shows has to spread", "account grant op=GrantKeyAccess:Accepted age=1m",
        RESTS("grant-propagates", GRANTING_ACCESS, WORKING, 4 * MINUTE)},
    {"a grant that has spread is done", "account grant op=GrantKeyAccess:Accepted age=5m",
        DOES("operation-done", SETTLE)},
    {"a grant that never shows was not applied", "account grant no-access op=GrantKeyAccess:Accepted age=10m quiet=10m",
        DOES("operation-not-applied", SETTLE)},
    {"a lost answer is waited for", "account op=EnableKey:Requested age=30s",
        RESTS("lost-answer-unsettled", CONFIRMING, WORKING, 5 * SECOND)},
    {"the last look is when it settles", "account op=EnableKey:Requested age=118s",
        RESTS("lost-answer-unsettled", CONFIRMING, WORKING, 2 * SECOND)},
    {"one moment before it settles", "account op=EnableKey:Requested age=119.999s",
        RESTS("lost-answer-unsettled", CONFIRMING, WORKING, 1)},
    {"settled exactly: it had no effect", "account op=EnableKey:Requested age=120s",
        DOES("lost-answer-no-effect", SETTLE)},
    {"a lost answer comes before the mode", "account observe op=EnableKey:Requested age=30s",
        RESTS("lost-answer-unsettled", CONFIRMING, WORKING, 5 * SECOND)},
    {"a lost answer comes before a new spec", "account new-generation op=EnableKey:Requested age=30s",
        RESTS("lost-answer-unsettled", CONFIRMING, WORKING, 5 * SECOND)},
    /* an operation that Azure accepted */
    {"what was just accepted is asked for in the next pass", "account busy op=EnableKey:Accepted url",
        DOES("operation-due", READ_OPERATION)},
    {"not in the pass that sent it", "account busy sent op=EnableKey:Accepted url",
        RESTS("operation-running", ENCRYPTING, WORKING, 5 * SECOND)},
    {"the URL is asked at a calmer pace than the account",
        "account busy op=EnableKey:Dequeued url age=80s read-ago=39s",
        RESTS("operation-running", ENCRYPTING, WORKING, 10 * SECOND)},
    {"after four polls it is the URL's turn", "account busy op=EnableKey:Dequeued url age=80s read-ago=40s",
        DOES("operation-due", READ_OPERATION)},
    {"at rest: ask how it ended", "account op=EnableKey:Dequeued url age=1h read-ago=1s quiet=0s",
        DOES("operation-due", READ_OPERATION)},
    {"busy: it runs", "account busy op=EnableKey:Accepted age=8m",
        RESTS("operation-running", ENCRYPTING, WORKING, MINUTE)},
    {"polls are never further apart than a minute", "account busy op=EnableKey:Accepted age=72h",
        RESTS("operation-running", ENCRYPTING, WORKING, MINUTE)},
    {"an identity is a preparation", "account busy identity op=AttachIdentity:Accepted",
        RESTS("operation-running", PREPARING_IDENTITY, WORKING, 5 * SECOND)},
    {"a lost URL costs detail only", "account busy op=EnableKey:Dequeued url lost age=1h",
        RESTS("operation-running", ENCRYPTING, WORKING, MINUTE)},
    {"Azure's failure waits until the account is at rest", "account busy op=EnableKey:Accepted url polled=Failed",
        RESTS("operation-running", ENCRYPTING, WORKING, 5 * SECOND)},
    {"Azure says that it failed", "account op=EnableKey:Accepted url polled=Failed quiet=0s",
        DOES("operation-failed", SETTLE)},
    {"canceled is failed", "account op=EnableKey:Accepted url polled=Canceled quiet=0s",
        DOES("operation-failed", SETTLE)},
    {"with two l as well, in any case", "account op=EnableKey:Accepted url polled=cancelled quiet=0s",
        DOES("operation-failed", SETTLE)},
    {"a failure that was read once needs no URL any more", "account op=EnableKey:Failed url lost age=1h quiet=0s",
        DOES("operation-failed", SETTLE)},
    {"an end is not asked for again", "account op=EnableKey:Failed url age=1h quiet=0s",
        DOES("operation-failed", SETTLE)},
    {"the URL says that it runs though the account rests", "account op=EnableKey:Accepted url polled=Dequeued",
        RESTS("operation-still-runs", ENCRYPTING, WORKING, 5 * SECOND)},
    {"a word that nobody knows means running", "account op=EnableKey:Accepted url polled=Reticulating",
        RESTS("operation-still-runs", ENCRYPTING, WORKING, 5 * SECOND)},
    {"running counts more than a key that shows early", "account has-key op=EnableKey:Accepted url polled=Dequeued",
        RESTS("operation-still-runs", ENCRYPTING, WORKING, 5 * SECOND)},
    {"an unreadable URL is tried again", "account op=EnableKey:Dequeued url poll-failed quiet=1h",
        RESTS("operation-unreadable", ENCRYPTING, WORKING, BACKOFF)},
    {"also when the key shows, for a while", "account has-key op=EnableKey:Dequeued url poll-failed quiet=119s",
        RESTS("operation-unreadable", ENCRYPTING, WORKING, BACKOFF)},
    {"a throttled poll is made when its turn comes",
        "account op=EnableKey:Dequeued url poll-failed=throttled retry-after=7s quiet=1h",
        RESTS("operation-throttled", ENCRYPTING, WORKING, 7 * SECOND)},
    {"without a word on when: back-off", "account op=EnableKey:Dequeued url poll-failed=throttled quiet=1h",
        RESTS("operation-throttled", ENCRYPTING, WORKING, BACKOFF)},
    {"but not for ever: the account is the truth", "account has-key op=EnableKey:Dequeued url poll-failed quiet=120s",
        DOES("operation-done", SETTLE)},
    {"succeeded, and the account shows it", "account has-key op=EnableKey:Accepted url polled=Succeeded quiet=0s",
        DOES("operation-done", SETTLE)},
    {"succeeded in small letters", "account has-key op=EnableKey:Accepted url polled=succeeded quiet=0s",
        DOES("operation-done", SETTLE)},
    {"the URL is lost, and the account shows it", "account has-key op=EnableKey:Dequeued url lost quiet=0s",
        DOES("operation-done", SETTLE)},
    {"there never was a URL, and the account shows it", "account has-key op=EnableKey:Accepted quiet=0s",
        DOES("operation-done", SETTLE)},
    {"the key shows in another form",
        "account has-key=https://CONTOSO.vault.azure.net:443/keys/cosmos/1f op=EnableKey:Accepted quiet=0s",
        DOES("operation-done", SETTLE)},
    {"the default identity shows", "account identity attached default op=SetDefaultIdentity:Accepted quiet=0s",
        DOES("operation-done", SETTLE)},
    {"succeeded, but the account does not show it yet", "account op=EnableKey:Accepted url polled=Succeeded quiet=119s",
        RESTS("operation-not-shown", CONFIRMING, WORKING, 5 * SECOND)},
    {"succeeded, and another key is there",
        "account has-key=" OTHER_KEY " op=EnableKey:Accepted url polled=Succeeded quiet=0s",
        RESTS("operation-not-shown", CONFIRMING, WORKING, 5 * SECOND)},
    {"silently lost by Azure", "account op=EnableKey:Accepted url polled=Succeeded quiet=120s",
        DOES("operation-not-applied", SETTLE)},
    /* nothing of ours is under way */
    {"a failure is forgotten when the spec changes", "account op=EnableKey:Failed ended code=BadRequest new-generation",
        DOES("failure-outdated", SETTLE)},
    {"a failure is forgotten when somebody asks", "account op=EnableKey:Failed ended code=BadRequest asked",
        DOES("failure-outdated", SETTLE)},
    {"but only once", "account op=EnableKey:Failed ended code=BadRequest asked handled",
        RESTS("failure-final", OPERATION_FAILED, STALLED, 10 * MINUTE)},
    {"a failure is forgotten when somebody did the step by hand",
        "account identity attached op=AttachIdentity:Failed ended code=BadRequest", DOES("failure-outdated", SETTLE)},
    {"what this pass sent is not forgotten in this pass",
        "account sent op=EnableKey:Failed ended code=BadRequest asked",
        RESTS("failure-final", OPERATION_FAILED, STALLED, 10 * MINUTE)},
    {"who keeps the account busy is looked up once", "account busy culprit=unread",
        DOES("culprit-unknown", READ_CULPRIT)},
    {"and not again while the status says so", "account busy culprit=unread explained",
        RESTS("account-busy", ACCOUNT_BUSY, WORKING, MINUTE)},
    {"an account whose creation failed", "account state=Failed",
        RESTS("account-broken", ACCOUNT_NOT_ONLINE, STALLED, 10 * MINUTE)},
    {"an account whose deletion failed", "account state=DeletionFailed",
        RESTS("account-broken", ACCOUNT_NOT_ONLINE, STALLED, 10 * MINUTE)},
    {"somebody else's operation", "account busy", RESTS("account-busy", ACCOUNT_BUSY, WORKING, MINUTE)},
    {"somebody else's, though ours was a day ago", "account busy op=EnableKey:Succeeded age=24h ended=20h",
        RESTS("account-busy", ACCOUNT_BUSY, WORKING, MINUTE)},
    {"in a word that nobody knows", "account state=Reticulating", RESTS("account-busy", ACCOUNT_BUSY, WORKING, MINUTE)},
    {"busy comes before Ready", "account busy has-key confirmed", RESTS("account-busy", ACCOUNT_BUSY, WORKING, MINUTE)},
    {"armed, and somebody was faster", "account busy armed op=EnableKey:Requested",
        RESTS("account-busy", ACCOUNT_BUSY, WORKING, 5 * SECOND)},
    {"the key is revoked, long after Ready", "account has-key revoked",
        RESTS("key-revoked", KEY_REVOKED, STALLED, 10 * MINUTE)},
    {"a revoked old key cannot be changed", "account has-key=" OTHER_KEY " revoked",
        RESTS("key-revoked", KEY_REVOKED, STALLED, 10 * MINUTE)},
    {"a status without a key means nothing", "account revoked", STARTS("write-ahead", WRITE_AHEAD)},
    {"Ready", "account has-key confirmed", RESTS("encrypted", ENCRYPTED, READY, 10 * MINUTE)},
    {"Ready, when Azure says nothing about access", "account has-key",
        RESTS("encrypted", ENCRYPTED, READY, 10 * MINUTE)},
    {"Ready, by an account without a provisioning state",
        "account has-key state=", RESTS("encrypted", ENCRYPTED, READY, 10 * MINUTE)},
    {"Ready, by SUCCEEDED", "account has-key state=SUCCEEDED", RESTS("encrypted", ENCRYPTED, READY, 10 * MINUTE)},
    {"Ready needs no window and no approval", "account has-key manual window=closed",
        RESTS("encrypted", ENCRYPTED, READY, 10 * MINUTE)},
    {"Ready also when only observed", "account has-key observe", RESTS("encrypted", ENCRYPTED, READY, 10 * MINUTE)},
    {"armed, and somebody has done it", "account has-key armed op=EnableKey:Requested",
        RESTS("encrypted", ENCRYPTED, READY, 10 * MINUTE)},
    {"a failure does not matter once the key is there", "account has-key op=EnableKey:Failed ended code=BadRequest",
        RESTS("encrypted", ENCRYPTED, READY, 10 * MINUTE)},
    {"the right key with the wrong identity is not Ready", "account has-key identity attached",
        STARTS("write-ahead", WRITE_AHEAD)},
    {"a failure that will not pass", "account op=EnableKey:Failed ended code=BadRequest",
        RESTS("failure-final", OPERATION_FAILED, STALLED, 10 * MINUTE)},
    {"a canceled operation is not tried again by itself", "account op=EnableKey:Failed ended code=Canceled",
        RESTS("failure-final", OPERATION_FAILED, STALLED, 10 * MINUTE)},
    {"a failed operation that left the account failed says its own reason",
        "account state=Failed op=EnableKey:Failed ended code=BadRequest",
        RESTS("failure-final", OPERATION_FAILED, STALLED, 10 * MINUTE)},
    {"a failure that may pass does not touch an account that is broken",
        "account state=Failed op=EnableKey:Failed ended=60s code=ServiceUnavailable",
        RESTS("account-broken", ACCOUNT_NOT_ONLINE, STALLED, 10 * MINUTE)},
    {"a failure that may pass", "account op=EnableKey:Failed ended=60s code=ServiceUnavailable",
        RESTS("failure-waits", RETRYING, WORKING, 4 * MINUTE)},
    {"each time twice as long", "account op=EnableKey:Failed ended code=ServiceUnavailable attempts=3",
        RESTS("failure-waits", RETRYING, WORKING, 20 * MINUTE)},
    {"given up after five", "account op=EnableKey:Failed ended=48h code=ServiceUnavailable attempts=5",
        RESTS("failure-final", OPERATION_FAILED, STALLED, 10 * MINUTE)},
    {"the wait is over exactly then", "account op=EnableKey:Failed ended=5m code=ServiceUnavailable",
        STARTS("write-ahead", WRITE_AHEAD)},
    {"what never arrived is sent again at once", "account op=EnableKey:Failed ended code=NoEffect",
        STARTS("write-ahead", WRITE_AHEAD)},
    {"but only the first time", "account op=EnableKey:Failed ended code=NoEffect attempts=2",
        RESTS("failure-waits", RETRYING, WORKING, 5 * MINUTE)},
    {"what Azure lost silently waits", "account op=EnableKey:Failed ended code=NotApplied",
        RESTS("failure-waits", RETRYING, WORKING, 5 * MINUTE)},
    /* gates */
    {"Cassandra", "account cassandra", RESTS("account-unsupported", UNSUPPORTED_ACCOUNT, STALLED, 10 * MINUTE)},
    {"Cassandra that was born with a key may change it", "account cassandra has-key=" OTHER_KEY,
        STARTS("write-ahead", WRITE_AHEAD)},
    {"nothing is changed before everything was looked at", "account evidence=unread", DOES("evidence-unread", GATHER)},
    {"nor when armed", "account armed op=EnableKey:Requested evidence=unread", DOES("evidence-unread", GATHER)},
    {"an account that is as desired needs no look", "account has-key evidence=unread",
        RESTS("encrypted", ENCRYPTED, READY, 10 * MINUTE)},
    {"one that can never be encrypted needs no look", "account cassandra evidence=unread",
        RESTS("account-unsupported", UNSUPPORTED_ACCOUNT, STALLED, 10 * MINUTE)},
    {"the look is throttled: as long as Azure says", "account evidence=throttled retry-after=20s",
        RESTS("evidence-throttled", THROTTLED, UNREACHABLE, 20 * SECOND)},
    {"the look fails: what is unknown is waited for", "account evidence=unavailable",
        RESTS("evidence-unreadable", AZURE_UNAVAILABLE, UNREACHABLE, BACKOFF)},
    {"the data is being searched", "account scan=running", RESTS("scan-running", PREFLIGHT_RUNNING, WORKING, MINUTE)},
    {"the search has not begun", "account scan=none", RESTS("scan-running", PREFLIGHT_RUNNING, WORKING, MINUTE)},
    {"the search was interrupted and goes on", "account scan=interrupted",
        RESTS("scan-running", PREFLIGHT_RUNNING, WORKING, MINUTE)},
    {"the search found nothing", "account scan=clean", STARTS("write-ahead", WRITE_AHEAD)},
    {"the search found long ids", "account scan=found",
        RESTS("preflight-failed", PREFLIGHT_FAILED, STALLED, 10 * MINUTE)},
    {"the search failed: Azure searches itself", "account scan=failed", STARTS("write-ahead", WRITE_AHEAD)},
    {"there is no such key", "account no-key", RESTS("preflight-failed", PREFLIGHT_FAILED, STALLED, 10 * MINUTE)},
    {"a lock forbids it", "account locked", RESTS("preflight-failed", PREFLIGHT_FAILED, STALLED, 10 * MINUTE)},
    {"the identity lacks access", "account no-access",
        RESTS("preflight-failed", PREFLIGHT_FAILED, STALLED, 10 * MINUTE)},
    {"access that may be granted is no failure", "account no-access grant", STARTS("write-ahead", WRITE_AHEAD)},
    {"a grant is sent when it was written ahead", "account no-access grant armed op=GrantKeyAccess:Requested",
        STARTS("send", SEND)},
    {"a grant waits for approval like everything", "account no-access grant manual",
        RESTS("awaiting-approval", AWAITING_APPROVAL, WAITING, 10 * MINUTE)},
    {"a grant is no end in itself", "account has-key no-access grant",
        RESTS("encrypted", ENCRYPTED, READY, 10 * MINUTE)},
    {"a check failed", "account continuous", RESTS("preflight-failed", PREFLIGHT_FAILED, STALLED, 10 * MINUTE)},
    {"preflight comes before approval", "account continuous manual approved",
        RESTS("preflight-failed", PREFLIGHT_FAILED, STALLED, 10 * MINUTE)},
    {"armed, and a check fails now", "account continuous armed op=EnableKey:Requested",
        RESTS("preflight-failed", PREFLIGHT_FAILED, STALLED, 10 * MINUTE)},
    {"somebody changed the key, and we report", "account has-key=" OTHER_KEY " was-ready report",
        RESTS("drifted", DRIFTED, STALLED, 10 * MINUTE)},
    {"somebody changed the key, and we correct", "account has-key=" OTHER_KEY " was-ready",
        STARTS("write-ahead", WRITE_AHEAD)},
    {"another key in the spec is no drift", "account has-key key=" OTHER_KEY " was-ready report",
        STARTS("write-ahead", WRITE_AHEAD)},
    {"never Ready before is no drift", "account has-key=" OTHER_KEY " report", STARTS("write-ahead", WRITE_AHEAD)},
    {"Observe never writes", "account observe", RESTS("observing", OBSERVING, IDLE, 10 * MINUTE)},
    {"Observe never writes, approved and in the window", "account observe manual approved window=open",
        RESTS("observing", OBSERVING, IDLE, 10 * MINUTE)},
    {"no approval", "account manual", RESTS("awaiting-approval", AWAITING_APPROVAL, WAITING, 10 * MINUTE)},
    {"approval of something else", "account manual approved=0123456789abcdef0123456789abcdef",
        RESTS("awaiting-approval", AWAITING_APPROVAL, WAITING, 10 * MINUTE)},
    {"approval of nothing",
        "account manual approved=", RESTS("awaiting-approval", AWAITING_APPROVAL, WAITING, 10 * MINUTE)},
    {"approval counts only as Manual", "account approved=0123", STARTS("write-ahead", WRITE_AHEAD)},
    {"approved", "account manual approved", STARTS("write-ahead", WRITE_AHEAD)},
    {"the window is closed", "account window=closed", RESTS("awaiting-window", AWAITING_WINDOW, WAITING, 10 * MINUTE)},
    {"the window opens before the next look", "account window=soon",
        RESTS("awaiting-window", AWAITING_WINDOW, WAITING, 5 * MINUTE)},
    {"the window never opens", "account window=never", RESTS("awaiting-window", AWAITING_WINDOW, WAITING, 10 * MINUTE)},
    {"armed, and the window closed meanwhile", "account window=closed armed op=EnableKey:Requested",
        RESTS("awaiting-window", AWAITING_WINDOW, WAITING, 10 * MINUTE)},
    {"the window does not hold back what runs", "account busy window=closed op=EnableKey:Accepted",
        RESTS("operation-running", ENCRYPTING, WORKING, 5 * SECOND)},
    /* the change */
    {"armed for half the settling time is too long", "account armed op=EnableKey:Requested age=60s",
        RESTS("armed-too-long", STARTING, WORKING, BACKOFF)},
    {"written ahead, read again: sent", "account armed op=EnableKey:Requested age=59.999s", STARTS("send", SEND)},
    {"sent with everything in place", "account armed op=EnableKey:Requested manual approved window=open",
        STARTS("send", SEND)},
    {"what is sent is what was written ahead", "account identity attached armed op=AttachIdentity:Requested",
        STARTS("write-ahead", WRITE_AHEAD)},
    {"nothing is sent that is not written ahead", "account", STARTS("write-ahead", WRITE_AHEAD)},
    {"an identity comes before the key", "account identity armed op=AttachIdentity:Requested", STARTS("send", SEND)},
    {"an operation that ended well is no hindrance", "account identity attached op=AttachIdentity:Succeeded ended",
        STARTS("write-ahead", WRITE_AHEAD)},
};

static void check(const struct row *row, const struct cmk_step *step)
{
    int64_t wake = row->wake_in > 0 ? NOW + row->wake_in : 0;

    if (strcmp(step->rule, row->rule) != 0)
        fail_msg("%s: %s instead of %s (%s)", row->sentence, step->rule, row->rule, step->message);
    if (step->effect != row->effect || step->reason != row->reason || step->phase != row->phase)
        fail_msg("%s: effect %d, reason %s, phase %d", row->sentence, step->effect, cmk_reason_text(step->reason)->word,
            step->phase);
    if (step->wake_at != wake || step->backoff != (row->wake_in == BACKOFF))
        fail_msg("%s: wakes in %lld ms, backoff %d", row->sentence,
            (long long)(step->wake_at ? step->wake_at - NOW : 0), step->backoff);
    if (row->effect == CMK_REST && str_empty(step->message))
        fail_msg("%s: nothing is said", row->sentence);
}

static void every_situation_has_its_rule(void **state)
{
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(scene_done) struct scene scene;
        struct cmk_step step;
        scene_init(&scene, rows[i].given);
        cmk_next(&scene.view, &step);
        check(&rows[i], &step);
    }
}

static void every_rule_has_a_situation(void **state)
{
    (void)state;

    for (size_t rule = 0; cmk_rule_name(rule); rule++) {
        size_t i = 0;
        while (i < ARRAY_LEN(rows) && strcmp(rows[i].rule, cmk_rule_name(rule)) != 0)
            i++;
        if (i == ARRAY_LEN(rows))
            fail_msg("no row of this test reaches the rule %s", cmk_rule_name(rule));
    }
}

static void no_two_rules_have_one_name(void **state)
{
    (void)state;

    for (size_t i = 0; cmk_rule_name(i); i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(cmk_rule_name(i), cmk_rule_name(j));
}

static void the_next_step_is_the_first_that_is_missing(void **state)
{
    static const struct {
        const char *given;
        enum cmk_step_type type;
    } table[] = {
        {"account", CMK_ENABLE_KEY},
        {"account identity", CMK_ATTACH_IDENTITY},
        {"account identity attached", CMK_SET_DEFAULT_IDENTITY},
        {"account identity attached default", CMK_ENABLE_KEY},
        {"account identity has-key", CMK_ATTACH_IDENTITY},
        {"account identity=FirstPartyIdentity", CMK_ENABLE_KEY},
        {"account identity=SystemAssignedIdentity", CMK_ATTACH_IDENTITY},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_(scene_done) struct scene scene;
        struct cmk_step step;
        scene_init(&scene, table[i].given);
        cmk_next(&scene.view, &step);
        if (step.effect != CMK_WRITE_AHEAD || step.type != table[i].type)
            fail_msg("%s: %s %s", table[i].given, step.rule, cmk_step_type_name(step.type));
    }
}

/* The message names what a person must do or wait for. */
static void messages_name_what_matters(void **state)
{
    static const struct {
        const char *given, *says;
    } table[] = {
        {"account continuous", "spec.defaultIdentity"},
        {"account window=closed", "opens at 2026-03-08T01:00:00Z"},
        {"account window=never", "never opens"},
        {"window=unknown", "Europe/Atlantis"},
        {"owner", "payments/older"},
        {"suspended op=EnableKey:Accepted", "goes on there"},
        {"account busy op=EnableKey:Dequeued age=65m", "operation is Dequeued, running for 1h"},
        {"account busy op=EnableKey:Dequeued age=30s", "less than a minute"},
        {"account busy op=EnableKey:Dequeued age=7m", "running for 7m"},
        {"account busy op=EnableKey:Dequeued age=19m", "running for 10m"},
        {"account busy op=EnableKey:Dequeued lost age=1h", "status URL can no longer be read"},
        {"account op=EnableKey:Requested age=30s", "until 2026-03-07T12:01:30Z"},
        {"account op=EnableKey:Failed ended code=ServiceUnavailable", "attempt 2 follows at 2026-03-07T12:05:00Z"},
        {"account op=EnableKey:Failed ended=48h code=ServiceUnavailable attempts=5",
            "cosmoscmk.io/reconcile-requested-at"},
        {"account has-key revoked", "(4003)"},
        {"account has-key=" OTHER_KEY " was-ready report", OTHER_KEY},
        {"account observe identity", "AttachIdentity, SetDefaultIdentity, EnableKey"},
        {"account manual", "spec.approvedPlan"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_(scene_done) struct scene scene;
        struct cmk_step step;
        scene_init(&scene, table[i].given);
        cmk_next(&scene.view, &step);
        if (!strstr(step.message, table[i].says))
            fail_msg("%s: %s", table[i].given, step.message);
    }
}

/* A look a few seconds later must not change what is written, or every poll would be a write. */
static void a_sentence_does_not_change_with_every_look(void **state)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_step first, later;
    (void)state;

    scene_init(&scene, "account busy op=EnableKey:Dequeued age=2h");
    cmk_next(&scene.view, &first);
    scene.view.now += 9 * MINUTE;
    cmk_next(&scene.view, &later);
    assert_string_equal(first.message, later.message);
    scene.view.now += MINUTE;
    cmk_next(&scene.view, &later);
    assert_string_not_equal(first.message, later.message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_situation_has_its_rule),
        cmocka_unit_test(every_rule_has_a_situation),
        cmocka_unit_test(no_two_rules_have_one_name),
        cmocka_unit_test(the_next_step_is_the_first_that_is_missing),
        cmocka_unit_test(messages_name_what_matters),
        cmocka_unit_test(a_sentence_does_not_change_with_every_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
