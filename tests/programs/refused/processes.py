# Processes: every idiom refuses with the same words, and nothing is left in a half-made state.
import multiprocessing, os, subprocess, concurrent.futures
def attempt(name, function):
    try:
        print(name, "gave", function())
    except BaseException as error:
        print(f"{name}: {type(error).__module__}.{type(error).__name__}: {error}")
attempt("run", lambda: subprocess.run(["ls"]))
attempt("shell", lambda: subprocess.check_output("cat /etc/passwd", shell=True))
attempt("Popen", lambda: subprocess.Popen(["ls"], stdout=subprocess.PIPE))
attempt("system", lambda: os.system("ls"))
attempt("popen", lambda: os.popen("ls").read())
attempt("fork", lambda: os.fork())
attempt("execv", lambda: os.execv("/bin/sh", ["sh"]))
attempt("execlp", lambda: os.execlp("sh", "sh"))
attempt("spawnl", lambda: os.spawnl(0, "/bin/sh", "sh"))
attempt("posix_spawn", lambda: os.posix_spawn("/bin/sh", ["sh"], {}))
attempt("kill", lambda: os.kill(1, 9))
attempt("Process", lambda: multiprocessing.Process(target=print).start())
attempt("Pool", lambda: multiprocessing.Pool(2))
attempt("executor", lambda: concurrent.futures.ProcessPoolExecutor().submit(print).result())
attempt("pipe", lambda: os.pipe())
attempt("Pipe", lambda: multiprocessing.Pipe())
multiprocessing.cpu_count(), os.cpu_count(), multiprocessing.current_process().name
