/// Asks the guest's process 1 to end the system.
enum SystemEnd {
    enum Action {
        case powerOff, reboot
    }

    /// SIGRTMIN as the C library counts, with which systemd counts its signals.
    private static let firstRealTime: Int32 = 34

    /// Ends the kernel, as process 1. Returns only where it refuses.
    @inline(never)
    static func endKernel(_ action: Action) {
        _ = system(SystemCall.sync)
        let command = action == .powerOff ? 0x4321_FEDC : 0x0123_4567
        _ = system(SystemCall.reboot, 0xFEE1_DEAD, 672_274_793, command, 0)
    }

    static func request(_ action: Action, _ options: AgentOptions) {
        // A test's agent is a program of the host.
        guard options.socketPath == nil else { return }
        if options.isFirstProcess { FirstProcess.end(action) }
        let isPowerOff = action == .powerOff
        if FileAccess.exists("/run/systemd/system") {
            Process.signal(1, firstRealTime + (isPowerOff ? 4 : 5))
        } else {
            // Our init's words, and busybox's.
            Process.signal(1, isPowerOff ? Process.Signal.user2 : Process.Signal.terminate)
        }
    }
}
