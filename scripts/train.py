from zoo.train import main

main()
