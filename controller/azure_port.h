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
};

/* context, with all that it points to, is borrowed and must outlive the port. */
struct azure_port azure_port_make(struct azure_port_context *context);
