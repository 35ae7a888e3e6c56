"""The build of the guest. `cli` is the entry; every other module is one step, in the order cli.STEPS names them."""
