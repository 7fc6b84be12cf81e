/// What to do instead of fields of compose that are not supported.
enum FieldAdvice {
    static let texts: [String: String] = [
        "build": "make the image with 'aerie image build', and name it with 'image'",
        "cap_add": "a guest's root has all capabilities of its own kernel; leave it out",
        "cap_drop": "a guest has a kernel of its own; leave it out",
        "configs": "share a directory with 'volumes'",
        "container_name": "the machine is named PROJECT-SERVICE; 'name' at the top of the file is the project",
        "devices": "give a disk with 'disk'",
        "dns": "a guest on the network 'default' has the host's resolvers; leave it out",
        "expose": "services of one network reach all ports of each other; leave it out",
        "extends": "use a YAML anchor and '<<'",
        "include": "put the services into one file",
        "links": "put both services on one network with 'networks'",
        "logging": "'aerie logs' shows the console; leave it out",
        "mem_reservation": "use 'memory'",
        "privileged": "a guest's root has all rights in its own kernel; leave it out",
        "profiles": "name the services: aerie up SERVICE…",
        "replicas": "write a service for each machine",
        "scale": "write a service for each machine",
        "secrets": "share a directory with 'volumes', or use 'env_file'",
        "tmpfs": "a guest can mount one itself; leave it out",
    ]
}
