internal import ArgumentParser

struct DiskCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disk",
        abstract: "Make, examine and change disk images.",
        discussion: """
            An image is FILE[,format=raw|qcow2]; a comma in FILE is written twice. Without format=, a file that is there is raw, and \
            one that begins as a qcow2 image is refused: the guest of a raw disk may have written that. A new file is qcow2 if its name \
            ends so, else raw.
            """,
        subcommands: [
            DiskCreate.self, DiskInfo.self, DiskConvert.self, DiskResizing.self, DiskChecking.self, DiskMap.self,
            DiskCommitting.self,
        ])
}
