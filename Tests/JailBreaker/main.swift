import Glibc
import HostSystem
import Jail

// A machine's process that somebody has taken over, in a jail like any other:
//
//     JailBreaker DIRECTORY THREAD [--without LAYER]... [--no-shares] [--attempt NAME]...
//
// Makes each attempt in a process of its own, on a thread with that name ('main' is the main thread), and prints for each a line
// `ATTEMPT: succeeded`, `ATTEMPT: refused N` with an errno value, or `ATTEMPT: ended SIGNAL CALL`. The first line names the layers that the
// host refuses.

guard CommandLine.arguments.count > 2 else { fatalError("usage: JailBreaker DIRECTORY THREAD [OPTION]...") }
ProcessStart.prepare()
let breaker = Breaker(
    directory: CommandLine.arguments[1], thread: CommandLine.arguments[2], CommandLine.arguments[3...])
breaker.run()
