package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/cosmos/armcosmos/v3"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

// CosmosCMKReconciler enables a customer-managed key on an existing Cosmos DB account.
type CosmosCMKReconciler struct {
	client.Client
	Credential azcore.TokenCredential
	ARM        *arm.ClientOptions
	Poll       time.Duration // between looks at an account that is being changed
	Resync     time.Duration // between looks at an account that is Ready
	Workers    int
}

// verdict is what one look at an account leads to.
type verdict struct {
	ready   metav1.ConditionStatus
	reason  string
	message string
	after   time.Duration
}

func (r *CosmosCMKReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var cmk CosmosCMK
	if err := r.Get(ctx, req.NamespacedName, &cmk); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	v, err := r.look(ctx, &cmk)
	if err != nil {
		v = verdict{metav1.ConditionUnknown, reasonOf(err), err.Error(), 0}
	}
	if err := r.writeStatus(ctx, &cmk, v); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	return ctrl.Result{RequeueAfter: v.after}, err
}

func (r *CosmosCMKReconciler) look(ctx context.Context, cmk *CosmosCMK) (verdict, error) {
	id, err := arm.ParseResourceID(cmk.Spec.AccountID)
	if err != nil {
		return verdict{metav1.ConditionFalse, "InvalidSpec", err.Error(), 0}, nil
	}
	accounts, err := armcosmos.NewDatabaseAccountsClient(id.SubscriptionID, r.Credential, r.ARM)
	if err != nil {
		return verdict{}, err
	}
	account, err := accounts.Get(ctx, id.ResourceGroupName, id.Name, nil)
	if err != nil {
		return verdict{}, err
	}
	state := deref(account.Properties.ProvisioningState)
	switch {
	case state == "Updating":
		return verdict{metav1.ConditionFalse, "Encrypting", "Azure is encrypting the account", r.Poll}, nil
	case state != "Succeeded":
		return verdict{metav1.ConditionFalse, "AccountNotOnline", "The account is " + state, r.Resync}, nil
	case sameKey(deref(account.Properties.KeyVaultKeyURI), cmk.Spec.KeyVaultKeyURI):
		return verdict{metav1.ConditionTrue, "Encrypted", "Encrypted with " + cmk.Spec.KeyVaultKeyURI, r.Resync}, nil
	}
	// The operation is followed by reading the account, so that a restart loses nothing; hence no poller is kept.
	_, err = accounts.BeginUpdate(ctx, id.ResourceGroupName, id.Name, armcosmos.DatabaseAccountUpdateParameters{
		Properties: &armcosmos.DatabaseAccountUpdateProperties{KeyVaultKeyURI: to.Ptr(cmk.Spec.KeyVaultKeyURI)},
	}, nil)
	if err != nil {
		return verdict{}, err
	}
	return verdict{metav1.ConditionFalse, "Encrypting", "Azure is encrypting the account", r.Poll}, nil
}

func (r *CosmosCMKReconciler) writeStatus(ctx context.Context, cmk *CosmosCMK, v verdict) error {
	before := cmk.DeepCopy()
	cmk.Status.ObservedGeneration = cmk.Generation
	meta.SetStatusCondition(&cmk.Status.Conditions, metav1.Condition{
		Type: "Ready", Status: v.ready, Reason: v.reason, Message: v.message, ObservedGeneration: cmk.Generation,
	})
	if v.reason == "Encrypting" {
		meta.SetStatusCondition(&cmk.Status.Conditions, metav1.Condition{
			Type: "Reconciling", Status: metav1.ConditionTrue, Reason: v.reason, Message: v.message,
			ObservedGeneration: cmk.Generation,
		})
	} else {
		meta.RemoveStatusCondition(&cmk.Status.Conditions, "Reconciling")
	}
	if equality.Semantic.DeepEqual(before.Status, cmk.Status) {
		return nil
	}
	return r.Status().Patch(ctx, cmk, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

func (r *CosmosCMKReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&CosmosCMK{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: r.Workers}).
		Complete(r)
}

func reasonOf(err error) string {
	var response *azcore.ResponseError
	if !errors.As(err, &response) {
		return "AzureUnavailable"
	}
	switch response.StatusCode {
	case http.StatusNotFound:
		return "AccountNotFound"
	case http.StatusUnauthorized, http.StatusForbidden:
		return "AccessDenied"
	case http.StatusTooManyRequests:
		return "Throttled"
	case http.StatusPreconditionFailed, http.StatusConflict:
		return "AccountBusy"
	}
	return fmt.Sprintf("Azure%d", response.StatusCode)
}

// sameKey compares as Azure does: it adds a trailing slash, or takes it away, and hosts have no case.
func sameKey(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, "/"), strings.TrimSuffix(b, "/"))
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
