package main

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	crscheme "sigs.k8s.io/controller-runtime/pkg/scheme"
)

var (
	groupVersion  = schema.GroupVersion{Group: "cosmoscmk.io", Version: "v1"}
	schemeBuilder = (&crscheme.Builder{GroupVersion: groupVersion}).Register(&CosmosCMK{}, &CosmosCMKList{})
)

// CosmosCMKSpec is the part of the API that this controller acts on.
type CosmosCMKSpec struct {
	AccountID      string `json:"accountId"`
	KeyVaultKeyURI string `json:"keyVaultKeyUri,omitempty"`
}

// CosmosCMKStatus is the part of the API that this controller writes.
type CosmosCMKStatus struct {
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
}

type CosmosCMK struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   CosmosCMKSpec   `json:"spec,omitempty"`
	Status CosmosCMKStatus `json:"status,omitempty"`
}

type CosmosCMKList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []CosmosCMK `json:"items"`
}

// What controller-gen would generate.

func (in *CosmosCMKStatus) DeepCopyInto(out *CosmosCMKStatus) {
	*out = *in
	if in.Conditions != nil {
		out.Conditions = make([]metav1.Condition, len(in.Conditions))
		for i := range in.Conditions {
			in.Conditions[i].DeepCopyInto(&out.Conditions[i])
		}
	}
}

func (in *CosmosCMK) DeepCopyInto(out *CosmosCMK) {
	*out = *in
	in.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	in.Status.DeepCopyInto(&out.Status)
}

func (in *CosmosCMK) DeepCopy() *CosmosCMK {
	if in == nil {
		return nil
	}
	out := new(CosmosCMK)
	in.DeepCopyInto(out)
	return out
}

func (in *CosmosCMK) DeepCopyObject() runtime.Object {
	return in.DeepCopy()
}

func (in *CosmosCMKList) DeepCopyObject() runtime.Object {
	if in == nil {
		return nil
	}
	out := &CosmosCMKList{TypeMeta: in.TypeMeta}
	in.ListMeta.DeepCopyInto(&out.ListMeta)
	if in.Items != nil {
		out.Items = make([]CosmosCMK, len(in.Items))
		for i := range in.Items {
			in.Items[i].DeepCopyInto(&out.Items[i])
		}
	}
	return out
}
