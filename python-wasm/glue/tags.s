# The exception tags every module shares: C++ exceptions, and longjmp. Defined here, exported by the interpreter, imported by side modules.
	.globl	__cpp_exception
	.tagtype	__cpp_exception i32
__cpp_exception:
	.globl	__c_longjmp
	.tagtype	__c_longjmp i32
__c_longjmp:
