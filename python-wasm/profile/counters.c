/* Only in the interpreter that train.py runs: where clang's counters lie in memory. */
int __llvm_profile_runtime; /* clang refers to it so that its own runtime gets linked */

extern char __start___llvm_prf_cnts[], __stop___llvm_prf_cnts[], __start___llvm_prf_data[], __stop___llvm_prf_data[],
    __start___llvm_prf_names[], __stop___llvm_prf_names[];

__attribute__((export_name("prims_profile"))) char *prims_profile(int which) {
    char *bounds[] = {__start___llvm_prf_cnts, __stop___llvm_prf_cnts, __start___llvm_prf_data, __stop___llvm_prf_data,
                      __start___llvm_prf_names, __stop___llvm_prf_names};
    return bounds[which];
}
