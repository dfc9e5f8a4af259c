#include "cmk/reasons.h"

static const struct cmk_reason_text texts[CMK_REASON_COUNT] = {
    [CMK_REASON_NONE] = {"None", "Nothing is known yet.", "Wait a moment."},
    [CMK_REASON_ENCRYPTED] = {"Encrypted",
        "The account is encrypted with the key that the spec names; this was read back from Azure.",
        "Nothing. Remember that periodic backups older than status.encryptedAt stay unencrypted."},
    [CMK_REASON_ENCRYPTING] = {"Encrypting",
        "Azure is encrypting the account. It takes hours or days and lives on spare throughput; reads and writes go "
        "on, "
        "control-plane changes to the account are blocked.",
        "Wait. More throughput makes it faster, where Azure still lets you raise it. Do not revoke the key."},
    [CMK_REASON_STARTING] = {"Starting", "The next step of the plan is about to be sent to Azure.", "Wait a moment."},
    [CMK_REASON_PREPARING_IDENTITY] = {"PreparingIdentity",
        "Azure is attaching the managed identity or making it the account's default identity, which must come before "
        "the key.",
        "Wait; this takes minutes."},
    [CMK_REASON_GRANTING_ACCESS] = {"GrantingAccess",
        "The default identity was given access to the key, as spec.keyVaultAccess asks; Azure needs minutes until it "
        "holds "
        "everywhere.",
        "Wait; this takes minutes."},
    [CMK_REASON_CONFIRMING] = {"Confirming",
        "A change was sent or about to be sent and its outcome is not known, because an answer was lost or the "
        "controller "
        "restarted. It is found out by reading the account, never by sending again.",
        "Wait a minute or two."},
    [CMK_REASON_PREFLIGHT_RUNNING] = {"PreflightRunning",
        "The account's data is being searched for document ids over 990 bytes, as spec.preflight.documentIds asks.",
        "Wait; the message says how far it is. It takes request units of the account."},
    [CMK_REASON_AWAITING_APPROVAL] = {"AwaitingApproval",
        "spec.approval is Manual and spec.approvedPlan does not equal status.plan.hash.",
        "Read status.plan; to approve it, set spec.approvedPlan to its hash."},
    [CMK_REASON_AWAITING_WINDOW] = {"AwaitingWindow",
        "The change may start only inside spec.window, which is closed now.",
        "Wait for the time that the message names, or change spec.window."},
    [CMK_REASON_OBSERVING] = {"Observing",
        "spec.mode is Observe: the plan and the preflight are published and Azure is never written to.",
        "To carry the plan out, set spec.mode to Enforce."},
    [CMK_REASON_SUSPENDED] = {"Suspended",
        "spec.suspend is true: the account is neither read nor changed. An operation that Azure is running goes on "
        "there.",
        "To continue, set spec.suspend to false."},
    [CMK_REASON_ACCOUNT_BUSY] = {"AccountBusy",
        "Another operation on the account, one that this resource did not start, holds Azure's exclusive lock.",
        "Wait until it ends, or look for it in the account's Activity Log."},
    [CMK_REASON_AZURE_UNAVAILABLE] = {"AzureUnavailable",
        "Azure could not be reached or answered with an error of its own.",
        "Nothing, if it passes by itself; else check the network path of the controller and Azure's status page."},
    [CMK_REASON_THROTTLED] = {"Throttled",
        "Azure asked for fewer requests, or the controller holds its own back to stay within Azure's limits.",
        "Nothing, if it passes by itself; else look for other programs that use the same identity."},
    [CMK_REASON_RETRYING] = {"Retrying",
        "Azure's operation failed for a reason that may pass; it is tried again at the time that the message names.",
        "Read Azure's words in the message. A failed document scan asks for more throughput on the containers."},
    [CMK_REASON_OPERATION_FAILED] = {"OperationFailed",
        "Azure refused the change or its operation failed, and trying again by itself would not help.",
        "Remove the cause that the message names, then change the spec or set the annotation "
        "cosmoscmk.io/reconcile-requested-at to a new value."},
    [CMK_REASON_PREFLIGHT_FAILED] = {"PreflightFailed",
        "A check before the point of no return failed; nothing was sent to Azure.",
        "Read status.preflight and correct what it names."},
    [CMK_REASON_UNSUPPORTED_ACCOUNT] = {"UnsupportedAccount",
        "Azure cannot enable customer-managed keys on an existing account of this kind.",
        "Create a new account with the key and move the data."},
    [CMK_REASON_KEY_REVOKED] = {"KeyRevoked",
        "Azure Cosmos DB has lost access to the key of the account: its data cannot be read or written.",
        "Restore the key or the identity's access to it as the message says; it takes up to an hour to show."},
    [CMK_REASON_DRIFTED] = {"Drifted",
        "Somebody changed the account's key after it was Ready, and spec.drift is Report.",
        "Decide which key is right: change spec.keyVaultKeyUri, or set spec.drift to Correct."},
    [CMK_REASON_ACCOUNT_NOT_FOUND] = {"AccountNotFound", "Azure knows no such account.",
        "Create the account; it is looked for again by itself. spec.accountId cannot be changed: if it is wrong, "
        "delete the "
        "resource and make one with the right id."},
    [CMK_REASON_ACCOUNT_NOT_ONLINE] = {"AccountNotOnline", "The account's creation or deletion failed.",
        "Repair or delete the account in Azure."},
    [CMK_REASON_ACCESS_DENIED] = {"AccessDenied",
        "Entra ID or Azure refused the controller's identity, or a lock or policy forbids the change.",
        "Grant what the message names; it is tried again by itself."},
    [CMK_REASON_ACCOUNT_CONFLICT] = {"AccountConflict",
        "An older CosmosCMK names the same account and is the one that acts.", "Delete one of the two."},
    [CMK_REASON_INVALID_SPEC] = {"InvalidSpec", "The spec cannot be acted on.",
        "Correct the field that the message names."},
    [CMK_REASON_UNSUPPORTED_SPEC] = {"UnsupportedSpec",
        "The spec asks for behaviour that this version does not have; Azure is left alone.",
        "Remove the value that the message names, or use a version that has it."},
};

const struct cmk_reason_text *cmk_reason_text(enum cmk_reason reason)
{
    return &texts[(size_t)reason < CMK_REASON_COUNT ? reason : CMK_REASON_NONE];
}
