internal import CLinux
internal import Glibc

/// Makes a program independent of the descriptors, the signal mask and the signal actions that it was started with.
package enum ProcessStart {
    /// Call it first, before any file is opened and any thread started.
    package static func prepare() {
        aerie_signal_defaults()
        guard aerie_standard_descriptors() == 0 else {
            StandardError.write("/dev/null: \(SystemError.last("open")); it takes the place of closed descriptors\n")
            exit(EX_OSFILE)
        }
    }

    /// Lets all threads have one heap, as a process that shall stay small: what is freed in a heap of a thread's own is not given back by
    /// `trimHeap`. Before the second thread starts.
    package static func useOneHeap() { aerie_use_one_heap() }

    /// Writes out what `print` has buffered.
    ///
    /// - Throws: the error of this write, or of an earlier one.
    package static func flushStandardOutput() throws(SystemError) {
        _ = try checked("write") { aerie_flush_standard_output() }
    }
}
