// peer does the main job of cosmoscmk as a Go team would on its first day: kubebuilder's main, one Reconcile function, the
// Azure SDK. hack/bench.sh runs it beside cosmoscmk, on the same servers, to have something to compare figures with. It is
// written to be good, and its settings are the defaults, except those that both are given alike.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

var scheme = runtime.NewScheme()

func init() {
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(schemeBuilder.AddToScheme(scheme))
}

type settings struct {
	metrics, probes, namespace, leaderNamespace string
	arm, authority, caFile                      string
	leaderElect                                 bool
	poll, resync                                time.Duration
	workers                                     int
}

func parseFlags() settings {
	var s settings
	flag.StringVar(&s.metrics, "metrics-bind-address", "0", "address of /metrics; 0 serves none")
	flag.StringVar(&s.probes, "health-probe-bind-address", ":8081", "address of /healthz and /readyz")
	flag.BoolVar(&s.leaderElect, "leader-elect", false, "only one replica is active")
	flag.StringVar(&s.leaderNamespace, "leader-election-namespace", "", "namespace of the lease")
	flag.StringVar(&s.namespace, "namespace", "", "watch this namespace only")
	flag.StringVar(&s.arm, "arm-endpoint", "https://management.azure.com", "Azure Resource Manager")
	flag.StringVar(&s.authority, "authority-host", "https://login.microsoftonline.com/", "Entra ID")
	flag.StringVar(&s.caFile, "azure-ca-file", "", "trust only these certificates for Azure")
	flag.DurationVar(&s.poll, "poll", 5*time.Second, "between looks at an account that is being changed")
	flag.DurationVar(&s.resync, "resync", 10*time.Minute, "between looks at an account that is Ready")
	flag.IntVar(&s.workers, "workers", 1, "reconciles at the same time")
	zapOptions := zap.Options{}
	zapOptions.BindFlags(flag.CommandLine)
	flag.Parse()
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&zapOptions)))
	return s
}

// transport is the SDK's own, with other roots when asked for.
func transport(caFile string) (*http.Client, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, err
		}
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", caFile)
		}
	}
	return &http.Client{Transport: t}, nil
}

func azure(s settings) (azcore.TokenCredential, *arm.ClientOptions, error) {
	http, err := transport(s.caFile)
	if err != nil {
		return nil, nil, err
	}
	options := azcore.ClientOptions{Transport: http, Cloud: cloud.Configuration{
		ActiveDirectoryAuthorityHost: s.authority,
		Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
			cloud.ResourceManager: {Endpoint: s.arm, Audience: s.arm},
		},
	}}
	credential, err := azidentity.NewClientSecretCredential(
		os.Getenv("AZURE_TENANT_ID"), os.Getenv("AZURE_CLIENT_ID"), os.Getenv("AZURE_CLIENT_SECRET"),
		&azidentity.ClientSecretCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: true})
	return credential, &arm.ClientOptions{ClientOptions: options, DisableRPRegistration: true}, err
}

func run(s settings) error {
	options := ctrl.Options{
		Scheme:                  scheme,
		Metrics:                 metricsserver.Options{BindAddress: s.metrics},
		HealthProbeBindAddress:  s.probes,
		LeaderElection:          s.leaderElect,
		LeaderElectionID:        "peer.cosmoscmk.io",
		LeaderElectionNamespace: s.leaderNamespace,
	}
	if s.namespace != "" {
		options.Cache.DefaultNamespaces = map[string]cache.Config{s.namespace: {}}
	}
	credential, armOptions, err := azure(s)
	if err != nil {
		return fmt.Errorf("Azure: %w", err)
	}
	mgr, err := ctrl.NewManager(ctrl.GetConfigOrDie(), options)
	if err != nil {
		return err
	}
	r := &CosmosCMKReconciler{Client: mgr.GetClient(), Credential: credential, ARM: armOptions,
		Poll: s.poll, Resync: s.resync, Workers: s.workers}
	if err := r.SetupWithManager(mgr); err != nil {
		return err
	}
	if err := mgr.AddHealthzCheck("healthz", healthz.Ping); err != nil {
		return err
	}
	if err := mgr.AddReadyzCheck("readyz", healthz.Ping); err != nil {
		return err
	}
	return mgr.Start(ctrl.SetupSignalHandler())
}

func main() {
	if err := run(parseFlags()); err != nil {
		ctrl.Log.Error(err, "cannot run")
		os.Exit(1)
	}
}
