package import HostSystem

/// Where the changes of copy-on-write disks are kept while their machine runs.
///
/// They may become as large as the disks, so that the choice falls on a file system with blocks on a medium: what lies in a
/// tmpfs occupies the host's memory.
package struct ScratchDirectory {
    private let candidates: [String]

    /// - Parameter candidates: absolute paths of directories, the most wanted first.
    package init(candidates: [String]) { self.candidates = candidates }

    /// A new empty file without a name, which vanishes with its last descriptor: in the first directory that takes one and is not
    /// in memory, else in the first that takes one.
    package func makeFile() throws(DiskImageError) -> FileDescriptor {
        var reason: SystemError?
        for acceptsMemory in [false, true] {
            for directory in candidates {
                do throws(SystemError) {
                    let file = try FileDescriptor(unnamedIn: directory)
                    let isInMemory = try file.isInMemory()
                    if acceptsMemory || !isInMemory { return file }
                } catch {
                    reason = reason ?? error
                }
            }
        }
        throw .noScratch(directories: candidates, reason ?? SystemError("open", code: 2))
    }
}
