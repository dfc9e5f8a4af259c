/* The Azure port over pkg/azure. */
#pragma once

#include "azure/arm.h"
#include "controller/evidence.h"
#include "controller/ports.h"
#include "controller/scanner.h"

struct azure_port_context {
    struct arm_client *client;
    struct evidence_options evidence;
    struct scanner *scanner; /* NULL: documents are never searched */
    /* Told of each change that was sent, and how it went: err is NULL when it was accepted. May be NULL. */
    void (*sent)(void *ctx, enum cmk_step_type step, const struct err *err);
    void *sent_ctx;
};

/* context, with all that it points to, is borrowed and must outlive the port. */
struct azure_port azure_port_make(struct azure_port_context *context);
