import Aerie
import Glibc

/// Boots a kernel, or firmware, in this process and prints its console.
///
///     BootKernel --kernel Image [initrd.img]
///     BootKernel --firmware fw.bin
@main
struct BootKernel {
    static func main() async {
        do throws(AerieError) {
            let outcome = try await run(try configuration(Array(CommandLine.arguments.dropFirst())))
            print("\nThe machine ended: \(outcome)")
        } catch {
            print("BootKernel: \(error)")
            exit(error.exitCode)
        }
    }

    static func configuration(_ arguments: [String]) throws(AerieError) -> Configuration {
        var configuration = Configuration()
        switch (arguments.first, arguments.count) {
        case ("--firmware", 2):
            configuration.firmware = arguments[1]
        case ("--kernel", 2...3):
            configuration.kernel = arguments[1]
            configuration.initrd = arguments.count == 3 ? arguments[2] : nil
            // Without a root file system, Linux panics; the reset behind that ends the machine.
            configuration.commandLine = "console=ttyS0 panic=-1"
        default:
            throw AerieError(
                .usage, asked: "a guest", found: "the arguments name none",
                advice: "give --kernel FILE [INITRD] or --firmware FILE")
        }
        configuration.memory = .mebibytes(256)
        configuration.restartsOnReset = false
        return configuration
    }

    static func run(_ configuration: Configuration) async throws(AerieError) -> VirtualMachine.Outcome {
        let machine = try VirtualMachine(configuration)
        let console = try machine.openConsole()
        try await machine.start()
        // The output ends with the machine.
        for try await bytes in console.output {
            var rest = bytes[...]
            while case let count = rest.withUnsafeBytes({ write(STDOUT_FILENO, $0.baseAddress, $0.count) }), count > 0 {
                rest = rest.dropFirst(count)
            }
        }
        return try await machine.outcome
    }
}
