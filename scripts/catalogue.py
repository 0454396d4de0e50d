from zoo.catalogue import main

main()
